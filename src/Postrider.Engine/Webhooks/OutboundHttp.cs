using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Postrider.Messages;

namespace Postrider.Webhooks;

/// <summary>What came of a call to a customer's URL.</summary>
/// <param name="Error">Null for a 2xx that was read to its end.</param>
/// <param name="Response">The beginning of the body; null when there was none.</param>
public sealed record OutboundAnswer(int? Status, TimeSpan Took, string? Error, string? Response, TimeSpan? RetryAfter = null);

/// <summary>The only way to a URL that a customer gave: connects to the very addresses that were judged, follows nothing, and reads no more
/// than it must.</summary>
public sealed class OutboundHttp : IDisposable
{
    /// <summary>More is no answer to a webhook.</summary>
    const int MaxAnswerBytes = 64 * 1024;

    const int KeptBytes = 4 * 1024;
    const int MaxHeadersKilobytes = 16;

    static readonly HttpRequestOptionsKey<TenantId> Tenant = new("tenant");
    static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    // A connection that the first tenant may have opened to an address of our own is never another tenant's.
    readonly HttpMessageInvoker _ofFirst;
    readonly HttpMessageInvoker _ofOthers;
    readonly TimeSpan _timeout;
    readonly TimeProvider _clock;

    [SuppressMessage("Reliability", "CA2000", Justification = "The invokers own their handlers.")]
    public OutboundHttp(WebhookTargets targets, WebhookOptions options, TimeProvider clock)
    {
        (_timeout, _clock) = (options.Timeout, clock);
        _ofFirst = new HttpMessageInvoker(Handler(targets));
        _ofOthers = new HttpMessageInvoker(Handler(targets));
    }

    static SocketsHttpHandler Handler(WebhookTargets targets) => new()
    {
        // Nothing of how we run goes to customers' servers.
        ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectCallback = (context, ct) => ConnectAsync(targets, context, ct),
        ConnectTimeout = ConnectTimeout,
        MaxResponseHeadersLength = MaxHeadersKilobytes,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2), // names are looked up again
        UseCookies = false,
        UseProxy = false, // or the address that is judged would be the proxy's
    };

    static async ValueTask<Stream> ConnectAsync(WebhookTargets targets, SocketsHttpConnectionContext context, CancellationToken ct)
    {
        context.InitialRequestMessage.Options.TryGetValue(Tenant, out var tenant);
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = await targets.ResolveAsync(host, port, tenant, ct);
        Exception? last = null;
        foreach (var address in addresses)
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(address, port, ct);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        throw last ?? new SocketException((int)SocketError.HostNotFound);
    }

    public async Task<OutboundAnswer> PostAsync(
        TenantId tenant, Uri url, IEnumerable<KeyValuePair<string, string>> headers, ReadOnlyMemory<byte> json, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(json) };
        request.Options.Set(Tenant, tenant);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        var started = _clock.GetTimestamp();
        using var deadline = new CancellationTokenSource(_timeout, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        int? status = null;
        try
        {
            using var response = await (tenant == TenantId.First ? _ofFirst : _ofOthers).SendAsync(request, either.Token);
            status = (int)response.StatusCode;
            var (text, isWhole) = await ReadAsync(response.Content, either.Token);
            return new OutboundAnswer(status, _clock.GetElapsedTime(started), Judge(response, isWhole), text, RetryAfter(response));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            var seconds = _timeout.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
            return new OutboundAnswer(status, _clock.GetElapsedTime(started), $"No whole answer within {seconds} s.", null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or TargetRefusedException)
        {
            return new OutboundAnswer(status, _clock.GetElapsedTime(started), Words(e), null);
        }
    }

    static string? Judge(HttpResponseMessage response, bool isWhole) => (int)response.StatusCode switch
    {
        >= 200 and < 300 when isWhole => null,
        >= 200 and < 300 => "The answer is longer than 64 KB.",
        >= 300 and < 400 => "The answer is a redirect, which is not followed. Give the URL that it leads to.",
        410 => "410: the endpoint is gone for good.",
        var code => $"The answer is {code}; 2xx means taken.",
    };

    /// <summary>The beginning, and whether the body ends within the limit.</summary>
    static async Task<(string? Text, bool IsWhole)> ReadAsync(HttpContent content, CancellationToken ct)
    {
        await using var body = await content.ReadAsStreamAsync(ct);
        var bytes = new byte[MaxAnswerBytes + 1];
        var length = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, ct);
        return (length == 0 ? null : Encoding.UTF8.GetString(bytes, 0, Math.Min(length, KeptBytes)), length <= MaxAnswerBytes);
    }

    TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - _clock.GetUtcNow(),
        _ => null,
    };

    // Our own words and the socket's; nothing of how we are built.
    static string Words(Exception error)
    {
        for (var e = error; e is not null; e = e.InnerException)
        {
            if (e is TargetRefusedException)
                return e.Message;
            if (e is SocketException socket)
                return $"No connection: {socket.Message}.";
            if (e is System.Security.Authentication.AuthenticationException)
                return $"TLS: {e.Message}";
        }
        return error is HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded }
            ? $"The head of the answer is longer than {MaxHeadersKilobytes} KB."
            : $"No usable answer: {error.Message}";
    }

    public void Dispose()
    {
        _ofFirst.Dispose();
        _ofOthers.Dispose();
    }
}
