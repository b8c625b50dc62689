using Postrider.Messages;

namespace Postrider.Templates;

/// <summary>What a template says: Handlebars in each part. At least one part is there.</summary>
public sealed record TemplateContent
{
    public string? Subject { get; init; }

    /// <summary>Null: made of the HTML after that was filled in.</summary>
    public string? Text { get; init; }
    public string? Html { get; init; }

    /// <summary>Whether a value that would be printed and is missing refuses the message. Null: as the entrance has it, which is yes but
    /// for the vendors that print nothing.</summary>
    public bool? IsStrict { get; init; }

    /// <summary>Values in three braces, which are not escaped, may stand in the HTML.</summary>
    public bool AllowsRawHtml { get; init; }

    /// <summary>A JSON object that previews use when they bring none; null when there is none.</summary>
    public string? TestData { get; init; }
}

/// <summary>One state of a template; never changes.</summary>
/// <param name="Number">From 1.</param>
public sealed record TemplateVersion(int Number, DateTimeOffset CreatedAt, TemplateContent Content);

/// <summary>A template with the version that was asked for, as a rule the newest.</summary>
public sealed record StoredTemplate
{
    /// <summary><c>d-</c> and 32 hexadecimal digits, as SendGrid's are.</summary>
    public required string Id { get; init; }

    /// <summary>Counts the tenant's templates, from 1: for vendors that name theirs by a number.</summary>
    public required int Number { get; init; }

    /// <summary>The tenant's own name for it; no two that are not archived have the same.</summary>
    public required string Name { get; init; }
    public required int NewestVersion { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Can no longer be sent with; null while it can.</summary>
    public DateTimeOffset? ArchivedAt { get; init; }
    public required TemplateVersion Version { get; init; }
}

/// <summary>Keeps templates and all their versions.</summary>
/// <remarks>Each write is on disk when its task completes. Every call throws <see cref="StoreUnavailableException"/> when the storage
/// cannot be reached.</remarks>
public interface ITemplateStore
{
    /// <summary>Null when the tenant has one of this name.</summary>
    Task<StoredTemplate?> AddAsync(TenantId tenant, string id, string name, TemplateContent content, DateTimeOffset at);

    /// <summary>Null when there is no such template.</summary>
    /// <param name="number">Of the template.</param>
    Task<StoredTemplate?> AddVersionAsync(TenantId tenant, int number, TemplateContent content, DateTimeOffset at);

    /// <summary>Null when there is no such template or version. By name only while it is not archived.</summary>
    /// <param name="key">Its id, its name, or its number.</param>
    /// <param name="version">Null: the newest.</param>
    Task<StoredTemplate?> FindAsync(TenantId tenant, string key, int? version, CancellationToken ct);

    /// <summary>In the order of their numbers, with their newest versions.</summary>
    /// <param name="after">A number; 0 from the start.</param>
    Task<IReadOnlyList<StoredTemplate>> ListAsync(TenantId tenant, int after, int limit, CancellationToken ct);

    /// <summary>False when there is none that is not archived.</summary>
    Task<bool> ArchiveAsync(TenantId tenant, int number, DateTimeOffset at);
}
