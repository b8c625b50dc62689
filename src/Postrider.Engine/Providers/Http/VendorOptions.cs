using System.Globalization;
using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>The DSN options that all HTTP vendors share.</summary>
/// <remarks>
/// <c>endpoint=https://host/path</c> points the vendor elsewhere · <c>calls=4</c> calls in flight for messages that could share one; what
/// comes while all are under way goes together in the next · <c>coalesce=100</c> recipients in one call, each a possible duplicate if its
/// answer is lost; 1 sends every message alone · <c>callback_key=</c> the secret that proves its callbacks.
/// </remarks>
sealed record VendorOptions(Uri Endpoint, CallLimits Limits)
{
    public static IReadOnlyCollection<string> Names { get; } = ["endpoint", "calls", "coalesce", "callback_key"];

    /// <param name="endpoint">The vendor's own.</param>
    /// <param name="most">What the vendor takes at most in one call.</param>
    public static VendorOptions Read(TransportSettings settings, Uri endpoint, CallLimits most, List<string> faults)
    {
        endpoint = At(settings, endpoint, faults);
        var limits = most with
        {
            Calls = Number("calls", 1, 1_000, most.Calls),
            Recipients = Math.Min(most.Recipients, Number("coalesce", 1, 10_000, Math.Min(most.Recipients, CallLimits.DefaultRecipients))),
        };
        return new VendorOptions(endpoint, limits);

        int Number(string name, int least, int most, int otherwise)
        {
            if (!settings.Options.TryGetValue(name, out var text))
                return otherwise;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
                return number;
            faults.Add($"option '{name}' is a number from {least} to {most}");
            return otherwise;
        }
    }

    /// <summary>Where the vendor is: as the option says, or the vendor's own.</summary>
    public static Uri At(TransportSettings settings, Uri otherwise, List<string> faults)
    {
        if (!settings.Options.TryGetValue("endpoint", out var elsewhere))
            return otherwise;
        if (Uri.TryCreate(elsewhere, UriKind.Absolute, out var uri)
            && uri is { Scheme: "http" or "https", Query: "", Fragment: "", UserInfo: "" })
            return uri;
        faults.Add("option 'endpoint' is a URL such as https://host/path, without user, query and fragment");
        return otherwise;
    }

    /// <summary>The key in the user's place; a missing or impossible one is a fault.</summary>
    /// <param name="example">How the DSN is written.</param>
    public static string Key(TransportSettings settings, string example, List<string> faults)
    {
        if (string.IsNullOrEmpty(settings.User) || settings.User.AsSpan().ContainsAnyExceptInRange('!', '~'))
            faults.Add($"the API key is missing or holds other than printable ASCII: {example}");
        return settings.User ?? "";
    }

    /// <summary>The same where the key is all there is to name: a host or a port is a fault.</summary>
    public static string OnlyKey(TransportSettings settings, string example, List<string> faults)
    {
        var key = Key(settings, example, faults);
        if (settings.Host.Length > 0 || settings.Port is not null)
            faults.Add($"there is no host to name: {example}, with endpoint= to point it elsewhere");
        return key;
    }
}
