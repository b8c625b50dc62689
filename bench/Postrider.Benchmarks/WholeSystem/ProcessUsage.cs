using System.Globalization;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>What a process and all its descendants have used, from <c>/proc</c> (proc(5)).</summary>
static class ProcessUsage
{
    // sysconf(_SC_CLK_TCK) is 100 on every Linux that .NET runs on.
    const double TicksPerSecond = 100;

    /// <summary>User and system seconds of the tree, ended and waited-for children included.</summary>
    public static double CpuSeconds(int root) => Tree(root).Sum(process => process.Ticks) / TicksPerSecond;

    /// <summary>Memory of the tree in bytes, shared pages counted once (proportional set size).</summary>
    public static long Bytes(int root) => Tree(root).Sum(process => ProportionalBytes(process.Id));

    /// <summary>The highest resident size one process ever had, in bytes.</summary>
    public static long PeakResidentBytes(int id) => Field($"/proc/{id}/status", "VmHWM:") * 1024;

    static long ProportionalBytes(int id) => Field($"/proc/{id}/smaps_rollup", "Pss:") * 1024;

    static IEnumerable<(int Id, long Ticks)> Tree(int root)
    {
        var all = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) ? Stat(id) : null)
            .OfType<(int Id, int Parent, long Ticks)>().ToList();
        var members = new HashSet<int> { root };
        for (var before = 0; before < members.Count;)
        {
            before = members.Count;
            members.UnionWith(all.Where(process => members.Contains(process.Parent)).Select(process => process.Id));
        }
        return all.Where(process => members.Contains(process.Id)).Select(process => (process.Id, process.Ticks));
    }

    static (int Id, int Parent, long Ticks)? Stat(int id)
    {
        var text = Read($"/proc/{id}/stat");
        // The name (field 2) is in parentheses and may hold spaces: count from the last parenthesis. ppid is field 4, utime … cstime are
        // 14 to 17.
        if (text.LastIndexOf(')') is var end && end < 0)
            return null;
        var fields = text[(end + 2)..].Split(' ');
        return (id, int.Parse(fields[1], CultureInfo.InvariantCulture),
            fields[11..15].Sum(ticks => long.Parse(ticks, CultureInfo.InvariantCulture)));
    }

    static long Field(string file, string name) =>
        Read(file).Split('\n').Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture))
                .FirstOrDefault();

    // A process may end while we look: it then counts no more (its parent has its ticks).
    static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
