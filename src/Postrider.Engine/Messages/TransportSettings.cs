namespace Postrider.Messages;

/// <summary>A transport as configured: a name, the kind of service, where it is, and its options as written.</summary>
public sealed record TransportSettings
{
    public required string Name { get; init; }

    /// <summary>Lower-case DSN scheme: <c>smtp</c>, <c>capture</c>, <c>sim</c>.</summary>
    public required string Scheme { get; init; }

    /// <summary>From the DSN, percent-decoded; null when absent.</summary>
    public string? User { get; init; }

    /// <summary>As <see cref="User"/>. A secret: never logged, never shown.</summary>
    public string? Password { get; init; }
    public string Host { get; init; } = "";
    public int? Port { get; init; }

    /// <summary>Every query option, the common ones included, by lower-case name, percent-decoded.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();
}
