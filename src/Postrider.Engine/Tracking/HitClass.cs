namespace Postrider.Tracking;

/// <summary>What a request to a tracking address said of itself.</summary>
/// <param name="UserAgent">Null: nothing.</param>
/// <param name="Purpose">The fields that browsers announce a look ahead by, joined; null: none.</param>
/// <param name="SinceMade">From when the message was made to the request.</param>
public readonly record struct HitRequest(bool IsHead, string? UserAgent, string? Purpose, TimeSpan SinceMade);

/// <summary>Tells people from machines, as far as one request shows. What several at once show, <see cref="HitBook"/> sees.</summary>
public static class HitClass
{
    /// <summary>No mail is made, handed over, delivered, noticed and shown in less.</summary>
    static readonly TimeSpan TooSoon = TimeSpan.FromSeconds(2);

    /// <summary>Fetch an image when somebody looks at the mail, and hide who: each was a person (Google since 2013, Yahoo since
    /// 2018).</summary>
    static readonly string[] ProxiesOfPeople = ["GoogleImageProxy", "YahooMailProxy"];

    /// <summary>Parts of what scanners, link previews and programs call themselves, in lower case.</summary>
    static readonly string[] Machines =
    [
        "bot", "spider", "crawl", "preview", "scan", "monitor", "headless", "phantomjs", "slurp", "curl/", "wget/", "python", "go-http-client",
        "java/", "libwww", "httpclient", "node-fetch", "axios/", "undici", "barracuda", "mimecast", "proofpoint", "symantec", "messagelabs",
        "trendmicro", "fireeye", "cisco", "sophos", "forcepoint", "zscaler", "safelinks", "facebookexternalhit", "whatsapp", "skypeuri",
    ];

    /// <summary>Null: a person, for all that is known; else by what it shows.</summary>
    public static string? WhyMachine(in HitRequest request)
    {
        var agent = request.UserAgent?.Trim() ?? "";
        if (request.IsHead)
            return "head";
        if (request.Purpose is { } purpose && (Has(purpose, "prefetch") || Has(purpose, "preview") || Has(purpose, "prerender")))
            return "prefetch";
        if (request.SinceMade < TooSoon)
            return "too-soon";
        if (ProxiesOfPeople.Any(proxy => Has(agent, proxy)))
            return null;
        // Apple's Mail Privacy Protection fetches all images when mail arrives, whether or not anybody looks (since 2021), under this name.
        if (agent is "" or "Mozilla/5.0")
            return "privacy-proxy";
        return Machines.Any(machine => Has(agent, machine)) ? "scanner" : null;
    }

    static bool Has(string text, string part) => text.Contains(part, StringComparison.OrdinalIgnoreCase);
}
