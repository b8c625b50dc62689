using System.Globalization;

namespace Postrider.Providers.Http;

/// <summary>Instants as many vendors write them: seconds since 1970.</summary>
static class UnixSeconds
{
    /// <summary>The year 10000, which no <see cref="DateTimeOffset"/> reaches.</summary>
    const long End = 253_402_300_800;

    /// <summary>False for what lies before 1970 or too far away.</summary>
    public static bool TryRead(double seconds, out DateTimeOffset at)
    {
        var isWithin = seconds is >= 0 and < End;
        at = isWithin ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) : default;
        return isWithin;
    }

    /// <summary>False too for what is no whole number.</summary>
    public static bool TryRead(string? text, out DateTimeOffset at)
    {
        at = default;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && TryRead(seconds, out at);
    }
}
