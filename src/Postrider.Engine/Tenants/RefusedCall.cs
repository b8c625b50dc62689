using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>A call of the API that was refused or failed, for whoever wrote the program that makes it: what was wrong and where, and
/// nothing of what it was about.</summary>
/// <param name="Id">Counts up; 0 before it is stored.</param>
/// <param name="Key">The id of the key, or of the one that the token was made for.</param>
/// <param name="Call">Method and route: <c>POST /emails</c>; of a vendor's API with its path.</param>
/// <param name="Target">The path as it was called, without the query; addresses masked.</param>
/// <param name="Problem">The slug.</param>
/// <param name="Detail">In words; addresses and secrets masked.</param>
/// <param name="Faults">The first of them, where the problem has any.</param>
/// <param name="Times">How often the same was answered within the second.</param>
public sealed record RefusedCall(
    long Id, DateTimeOffset At, TenantId Tenant, string Key, string Call, string Target, int Status, string Problem, string Detail,
    IReadOnlyList<RefusedPlace> Faults, int Times)
{
    const int MostFaults = 20;
    const int MaxTarget = 200;
    const int MaxDetail = 300;

    /// <summary>Of a pointer, which the caller's own names are part of.</summary>
    const int MaxPointer = 100;

    public static RefusedCall Of(DateTimeOffset at, Principal caller, string call, string target, Problem problem) => new(
        0, at, caller.Tenant, caller.KeyId, Kept(call, MaxTarget), Kept(target, MaxTarget), problem.Status, problem.Slug,
        Kept(problem.Detail, MaxDetail),
        [.. problem.Errors.Take(MostFaults).Select(error => new RefusedPlace(Kept(error.Pointer, MaxPointer), error.Slug))], 1);

    /// <summary>The same fault of the same key.</summary>
    public bool IsAs(RefusedCall other) => (Tenant, Key, Call, Problem) == (other.Tenant, other.Key, other.Call, other.Problem)
        && Faults.SequenceEqual(other.Faults);

    // Masked before it is cut: half an address is not seen to be one.
    static string Kept(string text, int most) => LogMask.InText(text) is var masked && masked.Length > most ? masked[..most] : masked;
}

/// <summary>Where a fault was.</summary>
/// <param name="Pointer">RFC 6901; empty: the whole body.</param>
public readonly record struct RefusedPlace(string Pointer, string Slug);

/// <summary>Which refused calls are asked for; what is said holds together.</summary>
/// <param name="Keys">Of these keys; empty: of all.</param>
/// <param name="Call">Method and route have this in them, in letters of any case; null: any.</param>
/// <param name="Status">Of the answer; null: any.</param>
public sealed record RefusedCallFilter(IReadOnlyList<string> Keys, string? Call = null, int? Status = null);

/// <summary>Keeps the newest refused calls.</summary>
public interface IRefusedCallStore
{
    /// <summary>Of one tenant; older ones make room.</summary>
    const int MostOfTenant = 1_000;

    Task AddAsync(IReadOnlyList<RefusedCall> calls);

    /// <summary>Newest first; only those before <paramref name="before"/>.</summary>
    Task<IReadOnlyList<RefusedCall>> ListAsync(
        TenantId tenant, RefusedCallFilter filter, long? before, int limit, CancellationToken ct);
}
