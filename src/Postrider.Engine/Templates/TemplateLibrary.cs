using System.Globalization;
using System.Text.Json;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Templates;

/// <summary>The tenants' templates: what is saved is checked, what is sent is filled in from one version.</summary>
public sealed class TemplateLibrary(ITemplateStore store, TimeProvider clock, Entropy entropy, TemplateOptions options)
{
    const int MaxNameLength = 100;

    /// <summary>Templates that are looked at together: each may be long.</summary>
    const int AtOnce = 20;

    public async Task<TemplateResult> AddAsync(TenantId tenant, string name, TemplateContent content)
    {
        if (!IsName(name))
            return new TemplateResult(TemplateProblems.Invalid(
                "/name", $"Must be 1 to {MaxNameLength} letters, digits, '-', '_' or '.', and not a number."));
        if (await RefuseAsync(tenant, content, number: null, CancellationToken.None) is { } problem)
            return new TemplateResult(problem);
        if ((await store.ListAsync(tenant, options.MaxTemplates - 1, 1, CancellationToken.None)).Count > 0)
            return new TemplateResult(TemplateProblems.Invalid("", $"There are {options.MaxTemplates} templates, the most there may be."));
        return await store.AddAsync(tenant, NewId(), name, content, clock.GetUtcNow()) is { } added
            ? new TemplateResult(added)
            : new TemplateResult(TemplateProblems.Exists(name));
    }

    public async Task<TemplateResult> AddVersionAsync(TenantId tenant, string key, TemplateContent content, CancellationToken ct)
    {
        if (await store.FindAsync(tenant, key, version: null, ct) is not { ArchivedAt: null } template)
            return new TemplateResult(TemplateProblems.Absent);
        if (await RefuseAsync(tenant, content, template.Number, ct) is { } problem)
            return new TemplateResult(problem);
        if (template.NewestVersion >= options.MaxVersions)
            return new TemplateResult(TemplateProblems.Invalid("", $"There are {options.MaxVersions} versions, the most there may be."));
        return await store.AddVersionAsync(tenant, template.Number, content, clock.GetUtcNow()) is { } added
            ? new TemplateResult(added)
            : new TemplateResult(TemplateProblems.Absent);
    }

    /// <summary>Archived ones too, by id or number.</summary>
    public Task<StoredTemplate?> FindAsync(TenantId tenant, string key, int? version, CancellationToken ct) =>
        store.FindAsync(tenant, key, version, ct);

    public Task<IReadOnlyList<StoredTemplate>> ListAsync(TenantId tenant, int after, int limit, CancellationToken ct) =>
        store.ListAsync(tenant, after, limit, ct);

    /// <summary>From now on nothing is sent with it. Null: done.</summary>
    /// <param name="isForced">Also where others call it, which then cannot be sent with, or go without their layout.</param>
    public async Task<Problem?> ArchiveAsync(TenantId tenant, string key, bool isForced, CancellationToken ct)
    {
        if (await store.FindAsync(tenant, key, version: null, ct) is not { ArchivedAt: null } template)
            return TemplateProblems.Absent;
        if (!isForced && await CallersAsync(tenant, template, ct) is { Count: > 0 } callers)
            return TemplateProblems.InUse(template.Name, callers);
        return await store.ArchiveAsync(tenant, template.Number, clock.GetUtcNow()) ? null : TemplateProblems.Absent;
    }

    /// <summary>The names of those whose newest versions call it.</summary>
    async Task<List<string>> CallersAsync(TenantId tenant, StoredTemplate called, CancellationToken ct)
    {
        var callers = new List<string>();
        for (var after = 0; await store.ListAsync(tenant, after, AtOnce, ct) is { Count: > 0 } some; after = some[^1].Number)
            callers.AddRange(some
                .Where(one => one.ArchivedAt is null && one.Number != called.Number && TemplateComposer.Calls(one.Version.Content, called))
                .Select(one => one.Name));
        return callers;
    }

    /// <summary>As it would be sent; exactly one of the two is null.</summary>
    /// <param name="data">Undefined: the template's own test data.</param>
    /// <param name="number">Null: it is not kept, and may be as wrong as one that is to be kept.</param>
    public async Task<(FilledTemplate? Filled, Problem? Problem)> PreviewAsync(
        TenantId tenant, TemplateContent content, JsonElement data, int? number, CancellationToken ct)
    {
        if (number is null && await RefuseAsync(tenant, content, null, ct) is { } refusal)
            return (null, refusal);
        var (whole, problem) = await ComposeAsync(tenant, content, number, ct);
        return whole is null ? (null, problem) : Preview(whole, data, Rules);
    }

    static (FilledTemplate? Filled, Problem? Problem) Preview(TemplateContent content, JsonElement data, FillRules rules)
    {
        var own = data.ValueKind == JsonValueKind.Undefined && content.TestData is { } test ? JsonElement.Parse(test) : data;
        var template = ReadyTemplate.Read(content, out var problem);
        if (template?.Fill(TemplateData.Of(own), rules, isStrict: true, withText: true, out problem) is not { } filled)
            return (null, problem);
        if (filled.Subject is { } subject && !HeaderText.IsSafe(subject, out var fault))
            return (null, new Problem("header-injection", 422, "Line break in a header", $"The subject is refused: {fault.Describe()}.")
            {
                Errors = [new("/data", "header-injection", $"The subject is refused: {fault.Describe()}.")],
            });
        return (filled, null);
    }

    /// <summary>The template of a message, one version of it with all that it calls; a problem when there is none to be sent
    /// with.</summary>
    public async Task<(TemplateContent? Content, Problem? Problem)> PinAsync(TenantId tenant, TemplateUse use, CancellationToken ct)
    {
        if (await store.FindAsync(tenant, use.Name, use.Version, ct) is { ArchivedAt: null } template)
            return await ComposeAsync(tenant, template.Version.Content, template.Number, ct);
        return (null, use.Version is { } version && await store.FindAsync(tenant, use.Name, null, ct) is { ArchivedAt: null } newest
            ? TemplateProblems.NoSuchVersion(newest, version) : TemplateProblems.NoSuch(use.Name));
    }

    /// <summary>Why there is no such template, or no such version of it.</summary>
    public async Task<Problem> WhyAbsentAsync(TenantId tenant, string key, int? version, CancellationToken ct)
    {
        if (version is not { } number || await store.FindAsync(tenant, key, null, ct) is not { } newest)
            return TemplateProblems.Absent;
        return TemplateProblems.Absent with { Detail = TemplateProblems.NoSuchVersion(newest, number).Detail };
    }

    Task<(TemplateContent? Content, Problem? Problem)> ComposeAsync(
        TenantId tenant, TemplateContent content, int? number, CancellationToken ct) =>
        new TemplateComposer(store, tenant, options.MaxSourceLength, ct).ComposeAsync(content, number);

    /// <summary>Limits for filling in now, while somebody waits.</summary>
    public FillRules Rules => new()
    {
        MaxLength = options.MaxLength,
        MaxSteps = options.MaxSteps,
        MaxTime = options.MaxTime,
        Clock = clock,
    };

    async Task<Problem?> RefuseAsync(TenantId tenant, TemplateContent content, int? number, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(content.Subject) && string.IsNullOrEmpty(content.Text) && string.IsNullOrEmpty(content.Html))
            return TemplateProblems.Invalid("", "The template is empty: give it a 'subject', a 'text' or an 'html'.");
        foreach (var (pointer, part) in new[] { ("/subject", content.Subject), ("/text", content.Text), ("/html", content.Html) })
            if (part?.Length > options.MaxSourceLength)
                return TemplateProblems.Invalid(pointer, string.Create(CultureInfo.InvariantCulture,
                    $"Has {part.Length} characters; at most {options.MaxSourceLength} are taken."));
        var (whole, problem) = await ComposeAsync(tenant, content, number, ct);
        if (whole is not null)
            ReadyTemplate.Read(whole, out problem);
        return problem;
    }

    string NewId()
    {
        Span<byte> bytes = stackalloc byte[16];
        entropy.Fill(bytes);
        return $"d-{Convert.ToHexStringLower(bytes)}";
    }

    /// <summary>A number would be taken for that of another template, and an id for its id.</summary>
    static bool IsName(string name) => name.Length is > 0 and <= MaxNameLength
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && !name.All(char.IsAsciiDigit)
        && !(name.Length == 34 && name.StartsWith("d-", StringComparison.Ordinal));
}

/// <summary>A template as it is now, or why not; exactly one is set.</summary>
public readonly record struct TemplateResult
{
    public TemplateResult(StoredTemplate template) => Template = template;
    public TemplateResult(Problem problem) => Problem = problem;

    public StoredTemplate? Template { get; }
    public Problem? Problem { get; }
}
