using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>What can change something, too: does it, tells what was done or why it was not, and looks again.</summary>
public abstract class ActingPart : LivePart
{
    [Inject]
    private protected ScreenActions Actions { get; set; } = null!;

    /// <summary>Why nothing was changed; null: nothing was tried, or it is done.</summary>
    internal Problem? Refused { get; set; }

    /// <summary>What was done, in a sentence; null: nothing.</summary>
    internal string? Told { get; set; }

    /// <inheritdoc cref="DoAsync(NeedsAttribute, string, string, Func{Principal, Task{Problem?}}, string?)"/>
    private protected Task<bool> DoAsync(
        Scopes needs, string action, string target, Func<Principal, Task<Problem?>> change, string? told = null) =>
        DoAsync(new NeedsAttribute(needs), action, target, change, told);

    /// <summary>By <see cref="ScreenActions.DoAsync"/>.</summary>
    /// <param name="told">Of what was done; null: <paramref name="change"/> sets <see cref="Told"/>, if anything.</param>
    /// <returns>Whether it was done.</returns>
    private protected async Task<bool> DoAsync(
        NeedsAttribute needs, string action, string target, Func<Principal, Task<Problem?>> change, string? told = null)
    {
        Refused = null;
        return (Refused = await TryAsync(needs, action, target, change, told)) is null;
    }

    /// <summary>The same where the refusal is shown beside what was asked for, not at the head.</summary>
    private protected async Task<Problem?> TryAsync(
        NeedsAttribute needs, string action, string target, Func<Principal, Task<Problem?>> change, string? told = null)
    {
        Told = null;
        var problem = await Actions.DoAsync(needs, action, target, change);
        Told = problem is null ? told ?? Told : null;
        await LookAsync();
        return problem;
    }

    /// <inheritdoc cref="TryAsync(NeedsAttribute, string, string, Func{Principal, Task{Problem?}}, string?)"/>
    private protected Task<Problem?> TryAsync(
        Scopes needs, string action, string target, Func<Principal, Task<Problem?>> change, string? told = null) =>
        TryAsync(new NeedsAttribute(needs), action, target, change, told);
}

/// <summary>What shows nothing that changes by itself, or leaves that to the lists in it.</summary>
public abstract class StillPart : ActingPart
{
    protected override TimeSpan Every => TimeSpan.Zero;

    protected override Task ReadAsync(CancellationToken ct) => Task.CompletedTask;
}
