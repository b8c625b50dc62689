namespace Postrider.Messages;

/// <summary>A transport as configured: a name, the kind of service, where it is, and its options as written.</summary>
public sealed record TransportSettings
{
    public required string Name { get; init; }

    /// <summary>The tenant whose own it is; null: the installation's.</summary>
    public TenantId? Owner { get; init; }

    /// <summary>Unique among the transports of all tenants: the name alone, or <c>3/relay</c> for one of tenant 3. No name has a
    /// slash.</summary>
    public string Key => Owner is { } owner ? $"{owner}/{Name}" : Name;

    /// <summary>It may lead to addresses of the world alone (<see cref="NetworkAddresses"/>), and to nothing of ours: no file, no
    /// credentials of this machine.</summary>
    public bool IsConfined { get; init; }

    /// <summary>Another number for each place to which the transport of this name has led; 0 in the configuration. What one place knows of
    /// a message, such as an idempotency key, another does not.</summary>
    public long Place { get; init; }

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

    /// <summary>The same account at the same service, whatever else is set.</summary>
    public bool LeadsWhere(TransportSettings other) => (User, Password) == (other.User, other.Password) && IsServedBy(other);

    /// <summary>The same service, by whatever account.</summary>
    public bool IsServedBy(TransportSettings other) => (Scheme, Host, Port) == (other.Scheme, other.Host, other.Port)
        && Options.GetValueOrDefault("endpoint") == other.Options.GetValueOrDefault("endpoint")
        && Options.GetValueOrDefault("region") == other.Options.GetValueOrDefault("region");
}
