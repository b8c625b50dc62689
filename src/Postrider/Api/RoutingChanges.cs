using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;
using Route = Postrider.Routing.Route;

namespace Postrider.Api;

/// <summary>What came of adding a transport.</summary>
/// <param name="Note">What has changed for mail that names no route.</param>
readonly record struct AddedTransport(string? Note, Problem? Problem);

/// <summary>Changes transports and routes for whoever asks and may: the installation's are for its administrators, and what is in the
/// configuration is nobody's. Null is no problem.</summary>
sealed class RoutingChanges(TransportBook book, Router router, TransportPauses pauses)
{
    /// <summary>Why the caller may not change what is everybody's; null: it may.</summary>
    public static Problem? MayNotRun(Principal caller) =>
        caller.Tenant == TenantId.First && caller.May(Scopes.Admin) ? null : TenantProblems.InstallationOnly;

    /// <summary>Why a caller may not pause, test or break a transport.</summary>
    public static Problem? MayNotUse(Principal caller, Router router, string name)
    {
        if (router.Of(caller.Tenant).FindTransport(name) is not { } transport)
            return TransportProblems.AbsentTransport;
        return transport.Options.Owner is null ? MayNotRun(caller) : null;
    }

    public async Task<AddedTransport> AddTransportAsync(Principal caller, TransportRequest request)
    {
        if (request.IsShared && MayNotRun(caller) is { } denied)
            return new AddedTransport(null, denied);
        var before = router.Of(caller.Tenant).Default;
        if (await book.AddAsync(request.IsShared ? null : caller.Tenant, caller.Tenant, request.Name!, request.Dsn!) is { } problem)
            return new AddedTransport(null, problem);
        var now = router.Of(caller.Tenant);
        // An earlier one with its name may have been removed while it was paused.
        if (now.FindTransport(request.Name!) is { } added)
            await pauses.SetAsync(added, isPaused: false);
        return new AddedTransport(WhatChanged(before, now.Default, request), null);
    }

    public async Task<Problem?> ChangeTransportAsync(Principal caller, string name, TransportRequest request) =>
        MayNotChange(caller, name, out var owner) ?? await book.ChangeAsync(owner, name, request.Dsn, request.Options);

    public async Task<Problem?> RemoveTransportAsync(Principal caller, string name) =>
        MayNotChange(caller, name, out var owner) ?? await book.RemoveAsync(owner, name);

    /// <summary>Starts no more attempts at it, or ends that.</summary>
    public async Task<Problem?> PauseTransportAsync(Principal caller, string name, bool isPaused)
    {
        if (MayNotUse(caller, router, name) is { } problem)
            return problem;
        if (router.Of(caller.Tenant).FindTransport(name) is { } transport)
            await pauses.SetAsync(transport, isPaused);
        return null;
    }

    public async Task<Problem?> AddRouteAsync(Principal caller, RouteRequest request) =>
        (request.IsShared ? MayNotRun(caller) : null) ?? await book.AddRouteAsync(
            request.IsShared ? null : caller.Tenant, caller.Tenant, request.Name!, request.Change(new RouteTerms()));

    public async Task<Problem?> ChangeRouteAsync(Principal caller, string name, RouteRequest request) =>
        MayNotChangeRoute(caller, name, out var owner) ?? await book.ChangeRouteAsync(owner, caller.Tenant, name, request.Change);

    /// <param name="mayMove">What waits on it goes by the default route.</param>
    public async Task<Problem?> RemoveRouteAsync(Principal caller, string name, bool mayMove, CancellationToken ct) =>
        MayNotChangeRoute(caller, name, out var owner) ?? await book.RemoveRouteAsync(owner, name, mayMove, ct);

    /// <summary>One that is stored and cannot be used on this node is not among the routes', and can be changed all the same.</summary>
    /// <param name="owner">Whose it is; null: the installation's.</param>
    public Problem? MayNotChange(Principal caller, string name, out TenantId? owner)
    {
        owner = caller.Tenant;
        if (book.HasTransport(owner, name))
            return null;
        owner = null;
        if (book.HasTransport(null, name) && MayNotRun(caller) is null)
            return null;
        return MayNotUse(caller, router, name) ?? TransportProblems.ReadOnly("transport", name);
    }

    /// <inheritdoc cref="MayNotChange"/>
    public Problem? MayNotChangeRoute(Principal caller, string name, out TenantId? owner)
    {
        owner = caller.Tenant;
        if (book.FindRoute(owner, name) is not null)
            return null;
        owner = null;
        if (book.FindRoute(null, name) is null)
            return router.Of(caller.Tenant).Find(name) is null
                ? TransportProblems.AbsentRoute
                : MayNotRun(caller) ?? TransportProblems.ReadOnly("route", name);
        return MayNotRun(caller) is { } denied
            ? router.Of(caller.Tenant).Find(name) is null ? TransportProblems.AbsentRoute : denied
            : null;
    }

    /// <summary>Whoever adds a transport learns at once where mail goes from now on: the first of a tenant's own takes all of it from the
    /// installation's.</summary>
    static string WhatChanged(Route? before, Route? now, TransportRequest added)
    {
        var (was, isNow) = (Words(before), Words(now));
        if (was == isNow)
            return $"Mail that names no route goes as before: {isNow}. Name {added.Name} in a route to use it.";
        var left = before?.Transports.Except(now?.Transports ?? []).Select(transport => transport.Name).ToList() ?? [];
        return $"Mail that names no route, and that no rule of yours leads elsewhere, now goes: {isNow} (until now: {was})."
            + (left.Count == 0 ? "" : $" It no longer goes by {string.Join(", ", left)}; to keep that, make a route named default that "
                + "names the transports in your order.");

        static string Words(Route? route) => route is null ? "nowhere"
            : string.Join(route.Settings.Strategy == RouteStrategy.Priority ? " → " : " or ", route.Transports.Select(t => t.Name));
    }
}
