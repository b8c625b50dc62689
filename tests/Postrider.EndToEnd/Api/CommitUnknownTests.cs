using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postrider.Hosting;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>A disk that takes writes and then does not confirm the flush: nobody knows whether the commit is there.</summary>
public sealed class CommitUnknownTests : IDisposable
{
    const string Mail = """{"from":"a@example.com","to":"b@example.com","subject":"S","text":"T"}""";

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postrider-");
    string _data = "";

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task It_is_said_to_be_unknown_and_the_same_request_is_one_message_after_the_restart()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /proc");
        // What the process writes by itself (when a key was used, the search index) may find the broken disk first: then the request only
        // meets a process that stops, and the next one has its turn.
        var isTold = false;
        for (var tries = 0; tries < 10 && !isTold; tries++)
            isTold = await LoseACommitAsync();
        Assert.True(isTold, "no request met the broken disk first");

        await using var again = await TestServer.StartAsync(("DATA", _data));
        foreach (var key in (string[])["kept", "lost", "lost"])
        {
            using var repeated = await PostAsync(again, key);
            Assert.Equal(HttpStatusCode.Accepted, repeated.StatusCode);
            var id = (string)JsonNode.Parse(await repeated.Content.ReadAsStringAsync())!["id"]!;
            await again.GetEmailAsync(id, email => (string?)email["status"] == "complete");
        }
        Assert.Equal(2, (int)JsonNode.Parse(await again.Client.GetStringAsync("/stats"))!["accepted"]!);
    }

    /// <summary>True: the request whose commit was not confirmed was told so, and the process has stopped.</summary>
    async Task<bool> LoseACommitAsync()
    {
        _data = _folder.CreateSubdirectory(Path.GetRandomFileName()).FullName;
        await using var server = await TestServer.StartAsync(("DATA", _data));
        using var before = await PostAsync(server, "kept");
        Assert.Equal(HttpStatusCode.Accepted, before.StatusCode);
        BreakTheLog();
        using var lost = await PostAsync(server, "lost");
        var problem = JsonNode.Parse(await lost.Content.ReadAsStringAsync())!;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, lost.StatusCode);
        if ((string?)problem["type"] != "/problems/commit-unknown")
            return false;
        Assert.NotNull(lost.Headers.RetryAfter);

        // A flush is never repeated: the process stops, and its next start finds out what is there.
        var lifetime = server.Services.GetRequiredService<IHostApplicationLifetime>();
        await Eventually.HoldsAsync(() => lifetime.ApplicationStopping.IsCancellationRequested);
        Assert.Equal(ExitCodes.Storage, server.Services.GetRequiredService<StopReason>().ExitCode);
        return true;
    }

    static async Task<HttpResponseMessage> PostAsync(TestServer server, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails") { Content = TestServer.Json(Mail) };
        request.Headers.Add("Idempotency-Key", key);
        return await server.Client.SendAsync(request);
    }

    /// <summary>Puts /dev/null in the place of the write-ahead log, in every descriptor of it: it takes what is written, and refuses
    /// to flush (EINVAL).</summary>
    void BreakTheLog()
    {
        var libc = NativeLibrary.Load("libc.so.6");
        var duplicate = Marshal.GetDelegateForFunctionPointer<Dup2>(NativeLibrary.GetExport(libc, "dup2"));
        using var nothing = new FileStream("/dev/null", FileMode.Open, FileAccess.ReadWrite);
        var logs = Directory.GetFiles("/proc/self/fd")
            .Where(fd => File.ResolveLinkTarget(fd, returnFinalTarget: false)?.FullName == Path.Combine(_data, "postrider.db-wal")).ToList();
        Assert.NotEmpty(logs);
        foreach (var log in logs)
            Assert.True(duplicate((int)nothing.SafeFileHandle.DangerousGetHandle(),
                int.Parse(Path.GetFileName(log), System.Globalization.CultureInfo.InvariantCulture)) >= 0);
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    delegate int Dup2(int from, int to);
}
