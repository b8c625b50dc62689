namespace Postrider.Api;

/// <summary>A query parameter that a call reads.</summary>
/// <param name="IsRepeated">It may be given more than once.</param>
sealed record ParameterDoc(string Name, string Description, bool IsRepeated = false);

/// <summary>The query parameters of a call: what OpenAPI says of them, and all that <see cref="ParameterGate"/> lets through.</summary>
sealed record DocumentedParameters(IReadOnlyList<ParameterDoc> All)
{
    const int MaxShown = 60;

    /// <summary>Notes those that are not there.</summary>
    public void Check(IEnumerable<string> names, ShapeFaults faults)
    {
        foreach (var name in names.Where(name => All.All(p => p.Name != name)))
            faults.Add("", "unknown-field", $"There is no parameter {(name.Length > MaxShown ? name[..MaxShown] + "…" : name)} here; "
                + (All.Count == 0 ? "the call takes none." : $"there are {string.Join(", ", All.Select(p => p.Name))}."));
    }
}

/// <summary>Marks calls whose address others put together, and add to as they like: what they add is not read.</summary>
sealed class AnyParameters
{
    public static readonly AnyParameters Instance = new();
}

/// <summary>Refuses parameters that a call does not read: with one misspelt it would change more, or answer with more, than was asked
/// for.</summary>
sealed class ParameterGate(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (!context.Request.QueryString.HasValue || context.GetEndpoint() is not RouteEndpoint { Metadata: var about }
            || about.GetMetadata<AnyParameters>() is not null)
            return next(context);
        var faults = new ShapeFaults();
        new DocumentedParameters([.. about.GetOrderedMetadata<DocumentedParameters>().SelectMany(p => p.All)])
            .Check(context.Request.Query.Keys, faults);
        return faults.Any ? ProblemWriter.WriteAsync(context, faults.ToProblem()) : next(context);
    }
}
