namespace Postrider.Hosting;

/// <summary>What the process tells who started it. Numbers above 64 are those of sysexits.h.</summary>
public static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>Wrong usage, or another process has the database.</summary>
    public const int Refused = 2;

    /// <summary>An address to listen on is taken, or no server answers (EX_UNAVAILABLE).</summary>
    public const int Unavailable = 69;

    /// <summary>A part of the process failed by a fault of ours, which the log tells (EX_SOFTWARE); start it again.</summary>
    public const int Internal = 70;

    /// <summary>The storage failed and the process stopped for it (EX_IOERR); start it again, it checks the database then.</summary>
    public const int Storage = 74;

    /// <summary>The configuration has faults; all of them were printed (EX_CONFIG).</summary>
    public const int Configuration = 78;
}
