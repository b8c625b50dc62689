using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>What one recipient domain may be given through a transport.</summary>
/// <param name="Domain">Lower-case A-labels, or <c>*</c> for every domain that is not named.</param>
/// <param name="Concurrency">Attempts at a time; null: no limit.</param>
/// <param name="Rate">Recipients per span; null: no limit.</param>
/// <param name="Backoff">First pause after the domain answered 421 (RFC 5321 §3.8: it closes the channel), doubled while it goes on; null: none.</param>
public sealed record DomainLimit(string Domain, int? Concurrency, Rate? Rate, TimeSpan? Backoff)
{
    public const string Expected = "is domain:concurrency,rate,back-off for each domain, separated by ';', with '-' or nothing for no limit and '*' for all others,"
        + " such as gmail.com:5,20/s,5m;yahoo.com:2;*:20";

    public static bool TryParse(string text, out IReadOnlyList<DomainLimit> limits)
    {
        var parsed = new List<DomainLimit>();
        limits = parsed;
        foreach (var entry in text.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            if (entry.Split(':') is not [var domain, var values] || values.Split(',') is not { Length: >= 1 and <= 3 } parts)
                return false;
            domain = domain.ToLowerInvariant();
            int? concurrency = null;
            Rate? rate = null;
            TimeSpan? backoff = null;
            if (IsGiven(parts, 0) && !Read(RoutingSyntax.TryNumber(parts[0], 1, 10_000, out var number), number, out concurrency)
                || IsGiven(parts, 1) && !Read(RoutingSyntax.TryRate(parts[1], out var limit), limit, out rate)
                || IsGiven(parts, 2) && !Read(Durations.TryParse(parts[2], out var span) && span > TimeSpan.Zero, span, out backoff))
                return false;
            if ((domain != "*" && !IsDomain(domain)) || parsed.Exists(other => other.Domain == domain))
                return false;
            parsed.Add(new DomainLimit(domain, concurrency, rate, backoff));
        }
        return parsed.Count > 0;

        static bool IsGiven(string[] parts, int index) => index < parts.Length && parts[index] is not ("" or "-");

        static bool Read<T>(bool valid, T value, out T? result) where T : struct
        {
            result = valid ? value : null;
            return valid;
        }
    }

    static bool IsDomain(string text) =>
        text.Length is > 0 and <= 255 && text[0] != '.' && text[^1] != '.' && text.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-' or '.');
}
