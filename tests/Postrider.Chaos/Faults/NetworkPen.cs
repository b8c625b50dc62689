using Postrider.Chaos.Product;

namespace Postrider.Chaos.Faults;

/// <summary>A network namespace of the run's own with one way out, which can be cut, made lossy or slow. Nothing outside of it is
/// touched.</summary>
sealed class NetworkPen : IAsyncDisposable
{
    static int _count;

    readonly string _name;
    string _link = "";

    NetworkPen(string name, string outside, string inside) => (_name, Outside, Inside) = (name, outside, inside);

    /// <summary>Our end, where sink and database listen for who is inside.</summary>
    public string Outside { get; }
    public string Inside { get; }

    /// <summary>What runs a program inside. Not <c>ip netns exec</c>: that takes all mounts into a namespace of its own, and so holds the
    /// disks of other scenarios for as long as the program runs.</summary>
    public IReadOnlyList<string> Wrapper => ["nsenter", $"--net=/run/netns/{_name}"];

    public static string? Missing => !Environment.IsPrivilegedProcess ? "root"
        : Programs.Find("ip") is null ? "iproute2" : Programs.Find("nsenter") is null ? "util-linux"
        : Programs.Find("nft") is null ? "nftables" : null;

    public static async Task<NetworkPen> CreateAsync()
    {
        var count = Interlocked.Increment(ref _count);
        var name = $"prchaos{Environment.ProcessId}-{count}";
        var net = $"10.213.{(Environment.ProcessId + count) % 250}";
        var pen = new NetworkPen(name, $"{net}.1", $"{net}.2");
        var (here, there) = ($"prc{Environment.ProcessId % 10_000}-{count}a", pen._link = $"prc{Environment.ProcessId % 10_000}-{count}b");
        await Ip("netns", "add", name);
        await Ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name);
        await Ip("addr", "add", $"{pen.Outside}/30", "dev", here);
        await Ip("link", "set", here, "up");
        await pen.InAsync("ip", "addr", "add", $"{pen.Inside}/30", "dev", there);
        await pen.InAsync("ip", "link", "set", there, "up");
        await pen.InAsync("ip", "link", "set", "lo", "up");
        return pen;
    }

    /// <summary>Drops what goes to this port outside and comes from it; a share of 1 is a cut.</summary>
    public async Task DropAsync(int port, double share)
    {
        var some = share < 1 ? $"numgen random mod 1000 < {(int)(share * 1000)} " : "";
        await InAsync("nft", "add table inet cut");
        await InAsync("nft", "add chain inet cut out { type filter hook output priority 0; }");
        await InAsync("nft", "add chain inet cut in { type filter hook input priority 0; }");
        await InAsync("nft", $"add rule inet cut out tcp dport {port} {some}drop");
        await InAsync("nft", $"add rule inet cut in tcp sport {port} {some}drop");
    }

    public Task HealAsync() => InAsync("nft", "delete table inet cut");

    /// <summary>Everything that goes out is this slow.</summary>
    public Task SlowAsync(string rate) =>
        InAsync("tc", "qdisc", "add", "dev", _link, "root", "tbf", "rate", rate, "burst", "8kb", "latency", "2s");

    public Task FastAsync() => InAsync("tc", "qdisc", "del", "dev", _link, "root");

    public async ValueTask DisposeAsync() => await Ip("netns", "del", _name);

    static Task<string> Ip(params string[] arguments) => Programs.RunAsync("ip", arguments);

    Task<string> InAsync(params string[] command) => Programs.RunAsync(Wrapper[0], [.. Wrapper.Skip(1), .. command]);
}
