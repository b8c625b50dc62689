using System.Globalization;

namespace Postrider.Dashboard.Parts;

/// <summary>How sizes are written.</summary>
static class Sizes
{
    /// <summary>In the largest unit that says enough; decimal ones, as in mail limits.</summary>
    public static string Short(long bytes) => bytes switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.#} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.#} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.##} GB"),
    };
}
