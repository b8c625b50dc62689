using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Dashboard;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>/users</c>: who may sign in to the dashboard for the caller's tenant. No password ever passes here: a link leads to choosing
/// one.</summary>
static class UserEndpoints
{
    static readonly string[] BodyRefusals = ["malformed-json", "unsupported-media-type", "unknown-field", "invalid-field"];

    public static void MapUsers(this IEndpointRouteBuilder app)
    {
        app.MapGet("/users", async (HttpContext context, Users users, CancellationToken ct) =>
            ApiJson.Answer(new UserListAnswer(
                [.. (await users.ListAsync(context.Caller.Tenant, ct)).Select(user => Answer(user, null))]))).For(Access.Admin)
            .Answers<UserListAnswer>(200).Says("listUsers", "Who may sign in to the dashboard for your tenant, by name.");
        app.MapPost("/users", AddAsync).For(Access.Admin)
            .Takes<UserShape>().Answers<UserAnswer>(201)
            .Says("addUser", "Lets somebody sign in to the dashboard. The answer has a link, good for a day, by which the password is chosen.",
                """{"name":"ann@example.com","role":"operator"}""", [.. BodyRefusals, "user-exists", "name-unusable"]);
        app.MapPatch("/users/{id}", ChangeAsync).For(Access.Admin)
            .Takes<UserChangeShape>().Answers<UserAnswer>(200)
            .Says("changeUser", "Another role, or disabled, which ends the user's sessions within 20 seconds.",
                """{"role":"viewer","disabled":false}""", [.. BodyRefusals, "not-found"]);
        app.MapPost("/users/{id}/reset", (string id, HttpContext context, Users users, PostriderOptions options) =>
                DoAsync(id, context, options, number => users.ResetAsync(context.Caller, number))).For(Access.Admin)
            .Answers<UserAnswer>(200)
            .Says("resetUser", "Takes the password away and ends the sessions. The answer has a link by which another one is chosen.", null,
                "not-found");
        app.MapDelete("/users/{id}", async Task<Results<NoContent, ProblemResult>> (string id, HttpContext context, Users users) =>
                TryId(id, out var number) && await users.RemoveAsync(context.Caller, number)
                    ? TypedResults.NoContent() : ProblemResult.Absent)
            .For(Access.Admin).Says("removeUser", "Removes a user and ends the sessions.", null, "not-found");
    }

    static async Task<Results<JsonHttpResult<UserAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, Users users, PostriderOptions options)
    {
        var body = await bodies.ReadAsync<UserRequest>(context, UserReader.Read);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var made = await users.AddAsync(context.Caller, request.Name ?? "", request.Role ?? UserRole.Viewer);
        return made.User is { } user
            ? ApiJson.Answer(Answer(user, LinkOf(context, options, made.Link)), StatusCodes.Status201Created)
            : new ProblemResult(made.Problem!);
    }

    static async Task<Results<JsonHttpResult<UserAnswer>, ProblemResult>> ChangeAsync(
        string id, HttpContext context, JsonBody bodies, Users users, PostriderOptions options)
    {
        var body = await bodies.ReadAsync<UserRequest>(context, UserReader.ReadChange);
        return body.Value is { } request
            ? await DoAsync(id, context, options, number => users.ChangeAsync(context.Caller, number, request.Role, request.IsDisabled))
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<UserAnswer>, ProblemResult>> DoAsync(
        string id, HttpContext context, PostriderOptions options, Func<long, Task<UserResult>> change)
    {
        if (!TryId(id, out var number))
            return ProblemResult.Absent;
        var result = await change(number);
        // Absent or another tenant's: in the words of every absent thing.
        return result.User is { } user ? ApiJson.Answer(Answer(user, LinkOf(context, options, result.Link))) : ProblemResult.Absent;
    }

    static bool TryId(string text, out long id) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);

    /// <summary>Null: there is none.</summary>
    static string? LinkOf(HttpContext context, PostriderOptions options, string? link) => link is null ? null
        : (options.PublicUrl.Length > 0 ? options.PublicUrl.TrimEnd('/') : $"{context.Request.Scheme}://{context.Request.Host}")
            + $"{DashboardPipeline.Root}/welcome?link={link}";

    static UserAnswer Answer(User user, string? link) => new(
        user.Id.ToString(CultureInfo.InvariantCulture), user.Name, ApiJson.Word(user.Role), user.HasPassword, user.CreatedAt,
        user.DisabledAt, user.LastSignInAt, link);
}

/// <summary>What a body says of a user; null: nothing.</summary>
sealed record UserRequest(string? Name, UserRole? Role, bool? IsDisabled);

/// <summary>Reads the bodies of the calls about users.</summary>
static class UserReader
{
    /// <summary><c>{"name", "role"}</c>.</summary>
    public static UserRequest? Read(JsonElement body, out Problem? problem) => Read(body, isNew: true, out problem);

    /// <summary><c>{"role", "disabled"}</c>.</summary>
    public static UserRequest? ReadChange(JsonElement body, out Problem? problem) => Read(body, isNew: false, out problem);

    static UserRequest? Read(JsonElement body, bool isNew, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new UserRequest(null, null, null);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "name" when isNew: request = request with { Name = faults.Text(member.Value, "/name") }; break;
                    case "role": request = request with { Role = Role(member.Value, faults) }; break;
                    case "disabled" when !isNew && member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False:
                        request = request with { IsDisabled = member.Value.GetBoolean() };
                        break;
                    case "disabled" when !isNew: faults.Invalid("/disabled", "Must be true or false."); break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static UserRole? Role(JsonElement value, ShapeFaults faults)
    {
        switch (faults.Text(value, "/role"))
        {
            case "viewer": return UserRole.Viewer;
            case "operator": return UserRole.Operator;
            case "admin": return UserRole.Admin;
            case null: return null;
            default:
                faults.Invalid("/role", "Must be viewer, operator or admin.");
                return null;
        }
    }
}

/// <summary>Body of <c>POST /users</c>.</summary>
sealed record UserShape(
    [property: System.ComponentModel.Description("What is typed to sign in, such as an email address; nobody else in the installation has it.")]
    string Name,
    [property: System.ComponentModel.Description("viewer (default), operator or admin.")] string? Role);

/// <summary>Body of <c>PATCH /users/{id}</c>.</summary>
sealed record UserChangeShape(
    [property: System.ComponentModel.Description("viewer, operator or admin.")] string? Role, bool? Disabled);

/// <summary>Answer to <c>GET /users</c>.</summary>
sealed record UserListAnswer(IReadOnlyList<UserAnswer> Data);

/// <summary>Who may sign in to the dashboard.</summary>
/// <param name="HasPassword">False until one is chosen, and after a reset.</param>
/// <param name="Link">By which a password is chosen; only where it was just made.</param>
sealed record UserAnswer(
    string Id, string Name, string Role, bool HasPassword, DateTimeOffset CreatedAt, DateTimeOffset? DisabledAt,
    DateTimeOffset? LastSignInAt, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Link);
