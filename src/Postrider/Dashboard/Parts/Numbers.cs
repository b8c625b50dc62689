using System.Globalization;

namespace Postrider.Dashboard.Parts;

/// <summary>How numbers are written, the same on every screen.</summary>
static class Numbers
{
    static CultureInfo Invariant => CultureInfo.InvariantCulture;

    /// <summary><c>12,345</c>.</summary>
    public static string Count(long count) => count.ToString("N0", Invariant);

    /// <summary><c>1 letter</c>, <c>12,345 letters</c>.</summary>
    public static string Count(long count, string one) => $"{Count(count)} {one}{(count == 1 ? "" : "s")}";

    /// <param name="share">From 0 to 1; null: not known yet.</param>
    public static string Percent(double? share) => share is { } part ? string.Create(Invariant, $"{100 * part:0.#} %") : "–";

    /// <summary>In the largest unit that says enough; decimal ones, as in mail limits.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1_000 => string.Create(Invariant, $"{bytes} B"),
        < 1_000_000 => string.Create(Invariant, $"{bytes / 1e3:0.#} kB"),
        < 1_000_000_000 => string.Create(Invariant, $"{bytes / 1e6:0.#} MB"),
        _ => string.Create(Invariant, $"{bytes / 1e9:0.##} GB"),
    };
}
