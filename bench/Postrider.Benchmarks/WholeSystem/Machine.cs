using System.Globalization;
using System.Runtime.InteropServices;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>What the figures were measured on: without it they mean nothing.</summary>
/// <param name="LoadBefore">Processes that wanted to run, averaged over the minute before: well above 0 means that others used the machine.</param>
sealed record Machine(string Processor, int Cores, double MemoryGiB, string OperatingSystem, string Kernel, string Runtime,
    string FileSystem, double LoadBefore)
{
    public static Machine Describe(string folder) => new(
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1]
            .Trim() ?? "unknown",
        Environment.ProcessorCount,
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30), 1),
        File.ReadLines("/etc/os-release").FirstOrDefault(line => line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal))?.Split('"')[1]
            ?? "unknown",
        Environment.OSVersion.VersionString,
        RuntimeInformation.FrameworkDescription,
        new DriveInfo(folder).DriveFormat,
        double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture));

    /// <summary>Part of all processor time that the host took away since <paramref name="before"/> (a former <see cref="CpuTimes"/>), 0
    /// to 1.</summary>
    public static double StealSince(IReadOnlyList<long> before)
    {
        var spent = CpuTimes().Zip(before, (now, then) => now - then).ToList();
        return spent.Count > 7 ? spent[7] / (double)Math.Max(1, spent.Sum()) : 0;
    }

    /// <summary>The first line of <c>/proc/stat</c>: user, nice, system, idle, iowait, irq, softirq, steal, in ticks.</summary>
    public static IReadOnlyList<long> CpuTimes() =>
        [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(ticks => long.Parse(ticks, CultureInfo.InvariantCulture))];
}
