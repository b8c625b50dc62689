using System.Globalization;

namespace Postrider.Hosting;

/// <summary>Durations as people write them.</summary>
static class Duration
{
    static readonly (string Unit, TimeSpan Span)[] Units =
    [
        ("ms", TimeSpan.FromMilliseconds(1)), ("s", TimeSpan.FromSeconds(1)), ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)), ("d", TimeSpan.FromDays(1)),
    ];

    /// <summary>Reads <c>90s</c>, <c>1.5h</c>, <c>500ms</c> and <c>00:01:30</c> into the form that the binder reads. A bare number is
    /// refused: .NET would read days.</summary>
    public static bool TryParse(string text, out string? normal)
    {
        normal = null;
        text = text.Trim();
        if (text.Contains(':', StringComparison.Ordinal))
        {
            if (!TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var exact))
                return false;
            normal = exact.ToString("c", CultureInfo.InvariantCulture);
            return true;
        }
        foreach (var (unit, span) in Units)
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase)
                && double.TryParse(
                    text.AsSpan(0, text.Length - unit.Length), NumberStyles.Float, CultureInfo.InvariantCulture, out var count)
                && Math.Abs(count) * span.TotalSeconds < 1e9)
            {
                normal = (span * count).ToString("c", CultureInfo.InvariantCulture);
                return true;
            }
        return false;
    }
}
