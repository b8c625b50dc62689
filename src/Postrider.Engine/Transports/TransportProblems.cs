using Postrider.Messages;

namespace Postrider.Transports;

/// <summary>The refusals of changes to transports and routes.</summary>
public static class TransportProblems
{
    public static Problem AbsentTransport { get; } = new("not-found", 404, "Not found", "There is no such transport.");
    public static Problem AbsentRoute { get; } = new("not-found", 404, "Not found", "There is no such route.");

    public static Problem ChangedMeanwhile { get; } = new(
        "changed-meanwhile", 409, "Changed meanwhile", "Somebody else changed it at the same time. Look at it, and try again.");

    public static Problem TransportExists(string name) => new(
        "transport-exists", 409, "Transport exists", $"There is a transport '{name}' already. Choose another name, or PATCH that one.");

    public static Problem RouteExists(string name) => new(
        "route-exists", 409, "Route exists", $"There is a route '{name}' already. Choose another name, or PATCH that one.");

    /// <param name="kind">transport or route.</param>
    public static Problem ReadOnly(string kind, string name) => new(
        "read-only", 409, "Read-only", $"The {kind} '{name}' is set in the environment or the file of the server: change it there.");

    public static Problem TransportInUse(string name, IReadOnlyList<string> routes) => new(
        "transport-in-use", 409, "Transport in use",
        $"The transport '{name}' is named by the routes {string.Join(", ", routes)}: take it out of them first.");

    public static Problem RouteInUse(string name, string waiting) => new(
        "route-in-use", 409, "Route in use",
        $"{waiting} envelopes wait on the route '{name}'. With ?waiting=default they go by the default route.");

    public static Problem TooMany(string what, int most) => new(
        "too-many", 409, "Too many", $"There may be {most} {what}. Remove one that is not used.");

    public static Problem Invalid(string pointer, params IReadOnlyList<string> details) => new(
        "invalid-field", 422, "Invalid field", string.Join(" ", details))
    {
        Errors = [.. details.Select(detail => new ProblemError(pointer, "invalid-field", detail))],
    };

    /// <param name="faults">Each beginning with its place: <c>Routes:news:Strategy is …</c>.</param>
    public static Problem OfRoute(string name, IReadOnlyList<string> faults)
    {
        var errors = faults.Select(fault =>
        {
            var rest = fault[$"Routes:{name}".Length..].TrimStart(':');
            var space = rest.IndexOf(' ', StringComparison.Ordinal);
            var isNamed = fault.StartsWith($"Routes:{name}:", StringComparison.Ordinal) && space > 0 && char.IsUpper(rest[0]);
            var place = isNamed ? rest[..space].TrimEnd(':') : "";
            return new ProblemError(Pointer(place), "invalid-field", isNamed ? $"{Word(place)} {rest[(space + 1)..]}." : $"{rest.Trim()}.");
        }).ToList();
        return new Problem("invalid-field", 422, "Invalid field", errors[0].Detail) { Errors = errors };
    }

    static string Pointer(string place) => place.Length == 0 ? "/name" : string.Concat(place.Split(':').Select(part => $"/{Snake(part)}"));

    static string Word(string place) => Snake(place.Split(':')[^1]);

    static string Snake(string name) => string.Concat(
        name.Select((c, i) => char.IsAsciiLetterUpper(c) ? (i == 0 ? "" : "_") + char.ToLowerInvariant(c) : $"{c}"));
}
