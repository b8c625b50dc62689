using System.Net;
using System.Text.Json;

namespace Postrider.Chaos.Books;

/// <summary>A vendor's HTTP API (the shape of SendGrid's), written here alone: a mail is in its journal before it is answered, in the same
/// lines as the sink's.</summary>
/// <remarks>A recipient whose domain has <c>drop</c> in it is taken, and the connection is cut instead of an answer, the first time;
/// with <c>always-drop</c> each time.</remarks>
sealed class Vendor(Journal journal)
{
    readonly HashSet<string> _seen = [];
    int _calls;

    public async Task RunAsync(int port, CancellationToken ct)
    {
        using var listener = new HttpListener();
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        await using var stop = ct.Register(listener.Stop);
        while (!ct.IsCancellationRequested)
            _ = ServeAsync(await listener.GetContextAsync());
    }

    async Task ServeAsync(HttpListenerContext call)
    {
        try
        {
            using var mail = await JsonDocument.ParseAsync(call.Request.InputStream);
            var entry = mail.RootElement.GetProperty("personalizations")[0];
            var recipient = entry.GetProperty("to")[0].GetProperty("email").GetString()!;
            var id = entry.GetProperty("custom_args").EnumerateObject().First().Value.GetString()!;
            var number = Interlocked.Increment(ref _calls);
            await journal.AddAsync($"{Clock.Now}\t{number}\t{recipient}\t{id}\t");
            if (recipient.Contains("always-drop", StringComparison.Ordinal)
                || (recipient.Contains("drop", StringComparison.Ordinal) && IsFirst(recipient)))
            {
                call.Response.Abort();
                return;
            }
            call.Response.StatusCode = 202;
            call.Response.Headers["X-Message-Id"] = $"v{number}";
            call.Response.Close();
        }
        catch (Exception gone) when (gone is IOException or HttpListenerException or ObjectDisposedException)
        {
            // The caller was killed.
        }
    }

    bool IsFirst(string recipient)
    {
        lock (_seen)
            return _seen.Add(recipient);
    }
}
