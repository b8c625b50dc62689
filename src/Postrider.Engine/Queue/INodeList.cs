namespace Postrider.Queue;

/// <summary>The nodes that share the store.</summary>
public interface INodeList
{
    /// <summary>Containers have a new name at each start: those that ended longer ago than this are not shown any more.</summary>
    static readonly TimeSpan ForgottenAfter = TimeSpan.FromHours(24);

    /// <summary>By name and number those that live, and those that ended not long ago.</summary>
    Task<IReadOnlyList<NodeView>> ListNodesAsync(CancellationToken ct);

    /// <summary>What ended earlier is forgotten.</summary>
    static DateTimeOffset ForgottenBefore(DateTimeOffset now) => now - ForgottenAfter;
}

/// <summary>A node as people see it.</summary>
public sealed record NodeView
{
    /// <summary>0 to 255; part of the ids it makes. A node that is started again has its number again.</summary>
    public required int Id { get; init; }
    public required string Name { get; init; }
    public required string Host { get; init; }

    /// <summary>Where others reach it, one or more URLs; where it listens on every address of its machine, by the machine's
    /// name.</summary>
    public required string Address { get; init; }
    public required string Roles { get; init; }
    public required string Version { get; init; }

    /// <summary>By the node's own clock, as the last beat is.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    public required DateTimeOffset LastBeatAt { get; init; }

    /// <summary>Since it started; by nothing else do the others know that it lives. 0 where there are no others.</summary>
    public required long Beats { get; init; }

    /// <summary>Attempts under way at the last beat.</summary>
    public required int InFlight { get; init; }

    /// <summary>False: it was declared dead, and its mail is sent by the others.</summary>
    public required bool Alive { get; init; }

    /// <summary>It takes nothing new, and ends when its attempts have; null: it does not.</summary>
    public required DateTimeOffset? DrainingSince { get; init; }
}
