using System.Globalization;
using System.Text;
using Postrider.Messages;

namespace Postrider.Templates;

/// <summary>Puts the tenant's stored templates into one that calls them as partials. What comes out needs no other any more: mail says
/// what they
/// said when it was accepted.</summary>
/// <param name="limit">Characters of a part with all its partials.</param>
sealed class TemplateComposer(ITemplateStore store, TenantId tenant, int limit, CancellationToken ct)
{
    /// <summary>In one part.</summary>
    const int MostPartials = 50;

    /// <summary>One part of a template while it is put together.</summary>
    /// <param name="Name"><c>subject</c>, <c>text</c> or <c>html</c>.</param>
    /// <param name="Of">The same part of a partial.</param>
    sealed record Part(string Name, Func<TemplateContent, string?> Of, ParsedTemplate Main, bool AllowRaw, StringBuilder Written)
    {
        public HashSet<string> Done { get; } = new(StringComparer.Ordinal);
    }

    readonly Dictionary<string, StoredTemplate?> _found = new(StringComparer.Ordinal);

    /// <summary>Exactly one of the two is null.</summary>
    /// <param name="number">Of the template itself; null: it is none yet.</param>
    public async Task<(TemplateContent? Content, Problem? Problem)> ComposeAsync(TemplateContent content, int? number)
    {
        // As in ReadyTemplate: in text three braces say nothing that two do not.
        var (subject, problem) = await ComposeAsync("subject", content.Subject, static c => c.Subject, true, number);
        if (problem is not null)
            return (null, problem);
        (var text, problem) = await ComposeAsync("text", content.Text, static c => c.Text, true, number);
        if (problem is not null)
            return (null, problem);
        (var html, problem) = await ComposeAsync("html", content.Html, static c => c.Html, content.AllowsRawHtml, number);
        return problem is null ? (content with { Subject = subject, Text = text, Html = html }, null) : (null, problem);
    }

    async Task<(string? Source, Problem? Problem)> ComposeAsync(
        string name, string? source, Func<TemplateContent, string?> of, bool allowRaw, int? number)
    {
        if (source is null || !MayCall(source))
            return (source, null);
        var main = ParsedTemplate.ParseOpen(source, allowRaw, out var fault);
        if (main is null)
            return (null, TemplateProblems.Of(fault!, $"/{name}"));
        var part = new Part(name, of, main, allowRaw, new StringBuilder(source));
        fault = await AddAsync(part, main, root: null, [(number ?? -1, "it")]);
        return fault is null ? (part.Written.ToString(), null) : (null, TemplateProblems.Of(fault, $"/{name}"));
    }

    /// <summary>Most templates call none: they need not be read for it.</summary>
    static bool MayCall(string source)
    {
        foreach (var call in (ReadOnlySpan<string>)["{{>", "{{#>", "{{~>", "{{~#>"])
            if (source.Contains(call, StringComparison.Ordinal))
                return true;
        return false;
    }

    /// <summary>Whether a template calls another one itself, by its name, id or number.</summary>
    public static bool Calls(TemplateContent content, StoredTemplate other) =>
        ((string?[])[content.Subject, content.Text, content.Html]).Any(source => source is not null && MayCall(source)
            && ParsedTemplate.ParseOpen(source, allowRaw: true, out _) is { } parsed
            && parsed.Missing.Any(call => !parsed.Defines(call.Name) && IsFor(call.Name, other)));

    static bool IsFor(string name, StoredTemplate template) => name == template.Name || name == template.Id
        || (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number == template.Number);

    /// <summary>What one template calls, and what that calls. The fault is told at the place in the first template.</summary>
    /// <param name="root">The call there; null: <paramref name="from"/> is the first.</param>
    async Task<TemplateFault?> AddAsync(Part part, ParsedTemplate from, PartialNode? root, List<(int Number, string Name)> path)
    {
        foreach (var call in from.Missing)
        {
            var place = root ?? call;
            TemplateFault Fault(string message) => part.Main.FaultAt(place.At, message);
            if (part.Main.Defines(call.Name))
                continue;
            var template = await FindAsync(call.Name);
            if (template is not null && path.Exists(p => p.Number == template.Number))
                return Fault($"Partials call each other without end: {string.Join(" > ", path.Select(p => p.Name))} > {call.Name}.");
            if (part.Done.Contains(call.Name))
                continue;
            if (template is null || part.Of(template.Version.Content) is not { } source)
            {
                if (call.Body is not null)
                    continue;
                return Fault(template is null
                    ? $"There is no partial '{call.Name}'{By(path)}: define it with {{{{#*inline \"{call.Name}\"}}}}, "
                        + "or keep a template of this name."
                    : $"The template '{call.Name}'{By(path)} has no {part.Name}: give it one.");
            }
            var partial = ParsedTemplate.ParseOpen(source, part.AllowRaw, out var unread);
            if (partial is null)
                return Fault($"The template '{call.Name}' cannot be taken here: {unread}");
            part.Done.Add(call.Name);
            if (part.Done.Count > MostPartials)
                return Fault($"More than {MostPartials} partials are called.");
            Append(part.Written, call.Name, source);
            if (part.Written.Length > limit)
                return Fault(string.Create(CultureInfo.InvariantCulture, $"With its partials it has more than {limit} characters."));
            if (await AddAsync(part, partial, place, [.. path, (template.Number, call.Name)]) is { } fault)
                return fault;
        }
        return null;
    }

    static string By(List<(int Number, string Name)> path) => path.Count == 1 ? "" : $" (called by '{path[^1].Name}')";

    async Task<StoredTemplate?> FindAsync(string name)
    {
        if (!_found.TryGetValue(name, out var template))
            _found[name] = template = await store.FindAsync(tenant, name, version: null, ct) is { ArchivedAt: null } found ? found : null;
        return template;
    }

    /// <summary>Behind all that is there, so that places in it stay. A backslash before a tag would make text of it; two stand for
    /// one.</summary>
    static void Append(StringBuilder to, string name, string source)
    {
        Close(to);
        to.Append(CultureInfo.InvariantCulture, $"{{{{#*inline \"{name}\"}}}}").Append(source);
        Close(to);
        to.Append("{{/inline}}");
    }

    static void Close(StringBuilder text)
    {
        if (text.Length > 0 && text[^1] == '\\')
            text.Append('\\');
    }
}
