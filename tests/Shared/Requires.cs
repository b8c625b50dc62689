using System.Diagnostics;
using Xunit;

namespace Postrider.Testing;

/// <summary>Programs that a test needs beside the SDK. Without them it is skipped, unless <c>POSTRIDER_CHECK=1</c>: then it fails, for a
/// check skips nothing.</summary>
public static class Requires
{
    public static bool IsCheck => Environment.GetEnvironmentVariable("POSTRIDER_CHECK") == "1";

    /// <summary>The full path of a program, looked for in PATH, the system's sbin folders and <paramref name="folders"/>.</summary>
    public static string Program(string name, params ReadOnlySpan<string> folders)
    {
        string[] all = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator), "/usr/sbin", "/sbin",
            "/usr/local/sbin", .. folders];
        var path = all.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        That(path is not null, $"{name} is not installed; make check installs it");
        return path!;
    }

    /// <summary>Debian's own Python, where Debian's Python packages are; with the module given.</summary>
    public static string Python(string module)
    {
        const string Path = "/usr/bin/python3";
        That(File.Exists(Path), "python3 is not installed; make check installs it");
        using var python = Process.Start(new ProcessStartInfo(Path, ["-c", $"import {module}"]) { RedirectStandardError = true })!;
        python.StandardError.ReadToEnd();
        python.WaitForExit();
        That(python.ExitCode == 0, $"Python's {module} is not installed; make check installs python3-{module}");
        return Path;
    }

    public static void Root() => That(Environment.IsPrivilegedProcess, "needs root");

    /// <summary>For tests that take long: part of the check, not of the fast tests.</summary>
    public static void Check() => That(IsCheck, "slow; make check runs it");

    public static void That(bool condition, string otherwise)
    {
        if (!condition && IsCheck)
            Assert.Fail(otherwise + " (POSTRIDER_CHECK=1: nothing may be skipped)");
        Assert.SkipUnless(condition, otherwise);
    }
}
