using System.Security.Claims;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.AspNetCore.Components.Server.Circuits;

namespace Postrider.Dashboard.Access;

/// <summary>Tells an open page who its viewer is, before anything of it is shown.</summary>
sealed class ViewerCircuits(Viewer viewer, LiveSessions live, AuthenticationStateProvider authentication) : CircuitHandler
{
    const string Scheme = "postrider-session";
    // What tokens of forms are bound to, too: the framework takes this claim alone where it is there.
    const string SessionClaim = ClaimTypes.NameIdentifier;
    const string ZoneClaim = "zone";
    const string OriginClaim = "origin";
    const string AddressClaim = "address";

    public override async Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        var claims = (await authentication.GetAuthenticationStateAsync()).User;
        // Without a session the page stays without a viewer, and every screen throws.
        if (claims.FindFirstValue(SessionClaim) is { } id && live.Find(id) is { } session)
            viewer.Begin(session, claims.FindFirstValue(ZoneClaim), claims.FindFirstValue(OriginClaim) ?? "",
                claims.FindFirstValue(AddressClaim));
    }

    /// <summary>What goes from the request that opens a page's connection to its circuit.</summary>
    public static ClaimsPrincipal Claims(string sessionId, string? zone, string origin, string? address)
    {
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(SessionClaim, sessionId));
        identity.AddClaim(new Claim(OriginClaim, origin));
        if (zone is not null)
            identity.AddClaim(new Claim(ZoneClaim, zone));
        if (address is not null)
            identity.AddClaim(new Claim(AddressClaim, address));
        return new ClaimsPrincipal(identity);
    }
}
