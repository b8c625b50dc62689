using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>What the image holds, started as an engine would start it: its own root file system, read-only, without a shell, not as
/// root.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class ImageRootTests : IDisposable
{
    // What Dockerfile and compose files ask of an engine; $1 is the root, $2 what is mounted at /data, the rest the settings.
    const string Engine = """
        set -e
        root=$1 data=$2; shift 2
        mount --make-rprivate /
        mount --bind "$root" "$root"
        mount -o remount,ro,bind "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/tmp"
        [ -z "$data" ] || mount --bind "$data" "$root/data"
        PATH=/usr/sbin:/usr/bin:/sbin:/bin
        exec env -i PATH="$PATH" POSTRIDER_DATA=/data DOTNET_EnableDiagnostics=0 "$@" chroot --userspec=1654:1654 "$root" /app/postrider
        """;

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postrider-");
    readonly List<Process> _started = [];

    [Fact]
    public async Task It_serves_from_a_read_only_root_as_a_user_and_says_what_is_wrong_without_its_volume()
    {
        Requires.Check();
        Requires.Root();
        var ct = TestContext.Current.CancellationToken;
        var root = Path.Combine(_folder.FullName, "root");
        var (code, _, error) = Peers.Run(Repository.Path("scripts/image-root"), root);
        Assert.True(code == 0, error);
        Assert.Empty(Directory.EnumerateFiles(root, "sh", SearchOption.AllDirectories));
        var data = _folder.CreateSubdirectory("data").FullName;
        Assert.Equal(0, Peers.Run("/bin/chown", "1654:1654", data).Code);

        var server = Start(root, data, "POSTRIDER_TRANSPORTS=capture://");
        var banner = await BannerAsync(server);
        using var client = new HttpClient { BaseAddress = new Uri(Address().Match(banner).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key().Match(banner).Groups[1].Value);
        var process = string.Create(CultureInfo.InvariantCulture, $"/proc/{server.Id}");
        Assert.Matches(@"\nUid:\s1654\s1654\s1654\s1654\n", await File.ReadAllTextAsync($"{process}/status", ct));
        Assert.Matches(@" / ro[ ,]", await File.ReadAllTextAsync($"{process}/mountinfo", ct));
        using var mail = await client.PostAsync("/emails",
            TestServer.Json("""{"from":"shop@example.com","to":"ann@bücher.example","subject":"Grüße","text":"Hi"}"""), ct);
        Assert.Equal(HttpStatusCode.Accepted, mail.StatusCode);
        await Eventually.HoldsAsync(async () => (int)(await client.GetFromJsonAsync<JsonNode>("/stats", ct))!["sent"]! == 1);
        // Time zones are data that a bare system does not have by itself.
        using var preview = await client.PostAsync(
            "/schedules/preview", TestServer.Json("""{"cron":"30 2 * * *","time_zone":"Europe/Berlin"}"""), ct);
        Assert.True(preview.IsSuccessStatusCode, await preview.Content.ReadAsStringAsync(ct));
        Assert.Equal(0, await StopAsync(server));

        var without = Start(root, "", "POSTRIDER_TRANSPORTS=capture://");
        var words = await without.StandardOutput.ReadToEndAsync(ct) + await without.StandardError.ReadToEndAsync(ct);
        await without.WaitForExitAsync(ct);
        Assert.NotEqual(0, without.ExitCode);
        Assert.Contains("/data", words, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", words, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited)
                process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        _folder.Delete(recursive: true);
    }

    Process Start(string root, string data, params string[] settings)
    {
        var process = Process.Start(new ProcessStartInfo(Requires.Program("unshare"),
            ["--mount", "/bin/sh", "-c", Engine, "engine", root, data, "POSTRIDER_URLS=http://127.0.0.1:0", "POSTRIDER_SMTP=127.0.0.1:0",
                .. settings])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _started.Add(process);
        return process;
    }

    static async Task<string> BannerAsync(Process server)
    {
        var text = new StringBuilder();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!text.ToString().Contains("-d '{", StringComparison.Ordinal))
        {
            if (await server.StandardOutput.ReadLineAsync(patience.Token) is not { } line)
                throw new InvalidOperationException($"It ended: {await server.StandardError.ReadToEndAsync(patience.Token)}");
            text.Append(line).Append('\n');
        }
        return text.ToString();
    }

    static async Task<int> StopAsync(Process server)
    {
        Assert.Equal(0, Peers.Run("/bin/kill", "-TERM", server.Id.ToString(CultureInfo.InvariantCulture)).Code);
        await server.WaitForExitAsync();
        return server.ExitCode;
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();

    [GeneratedRegex(@"API key +(pr_\w+)")]
    private static partial Regex Key();
}
