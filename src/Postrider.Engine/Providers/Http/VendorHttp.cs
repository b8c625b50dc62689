using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>A call to a vendor, complete but for the address of the vendor.</summary>
/// <param name="Path">From the root of the API, with its query: <c>/v3/mail/send</c>.</param>
/// <param name="Body">Null for none; never with POST: a POST without content is repeated by the client on connections that break.</param>
sealed record VendorRequest(HttpMethod Method, string Path, ReadOnlyMemory<byte>? Body = null, string ContentType = "application/json")
{
    /// <summary>Further header fields; a line break in one of them throws.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
}

/// <summary>The HTTP client of one transport. It knows of each call whether it was answered, was surely not taken, or may have been
/// accepted.</summary>
/// <remarks>It repeats nothing and follows nothing: what becomes of a failed call is decided by those who know what it was.</remarks>
sealed class VendorHttp : IDisposable
{
    /// <summary>How long an answer may take. Shorter only makes more outcomes that nobody knows (usual for HTTP: 60 to 120 s).</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(120);

    static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    // Vendors close idle connections after a minute or more. A call that meets the closing of its connection may have been accepted, so we
    // are first.
    static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(30);

    // Names are looked up again this often: vendors move their addresses.
    static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    const int MaxAnswerBytes = 1 << 20;

    readonly HttpClient _client;
    readonly Uri _endpoint;
    readonly TimeProvider _clock;

    /// <param name="endpoint">Where the vendor's API is; it may have a path, under which the API's paths are.</param>
    /// <param name="isConfined"><see cref="TransportSettings.IsConfined"/>.</param>
    public VendorHttp(Uri endpoint, TimeProvider clock, bool isConfined = false)
    {
        (_endpoint, _clock) = (endpoint, clock);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = ConnectTimeout,
            PooledConnectionIdleTimeout = IdleTimeout,
            PooledConnectionLifetime = ConnectionLifetime,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = TimeSpan.FromSeconds(15),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            MaxResponseHeadersLength = 64,
            // Its spans are ours; what we trace is nothing of the vendor's.
            ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        };
        if (isConfined)
            handler.ConnectCallback = ConnectOutsideAsync;
        _client = new HttpClient(handler)
        {
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = MaxAnswerBytes,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        var version = typeof(VendorHttp).Assembly.GetName().Version?.ToString(3);
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Postrider", version));
    }

    /// <summary>Connects to an address of the world: a name that leads to another one is not connected to at all.</summary>
    static async ValueTask<Stream> ConnectOutsideAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, ct);
        if (addresses.FirstOrDefault(address => !NetworkAddresses.IsGlobal(address)) is { } inside)
            throw new HttpRequestException(
                HttpRequestError.ConnectionError, $"{context.DnsEndPoint.Host} leads into a private network ({inside})");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Where a path of the API is.</summary>
    public Uri AddressOf(string path) => AddressOf(_endpoint, path);

    /// <inheritdoc cref="AddressOf(string)"/>
    public static Uri AddressOf(Uri endpoint, string path) => new(endpoint.GetLeftPart(UriPartial.Path).TrimEnd('/') + path);

    /// <param name="commitPoint">Policy <c>hold</c>: asked once the connection stands and before the body leaves; false withdraws the call.
    /// Null when there is none.</param>
    public async ValueTask<VendorAnswer> SendAsync(
        VendorRequest request, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        using var body = request.Body is { } bytes ? new RequestBody(bytes, request.ContentType, commitPoint) : null;
        using var message = new HttpRequestMessage(request.Method, AddressOf(request.Path)) { Content = body };
        foreach (var (name, value) in request.Headers)
        {
            // Add would take the commas in a signature's parameters for several values.
            if (name == "Authorization" && value.Split(' ', 2) is [var scheme, var parameter])
                message.Headers.Authorization = new AuthenticationHeaderValue(scheme, parameter);
            else
                message.Headers.Add(name, value);
        }
        using var timeout = new CancellationTokenSource(AnswerTimeout, _clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        try
        {
            using var response = await _client.SendAsync(message, HttpCompletionOption.ResponseContentRead, cut.Token);
            var content = await response.Content.ReadAsByteArrayAsync(cut.Token);
            return new VendorAnswer(request.Method.Method, (int)response.StatusCode, response.Headers, content)
            {
                RetryAfter = RetryAfterReader.Read(response.Headers, _clock.GetUtcNow()),
            };
        }
        catch (HttpRequestException fault)
        {
            return Failed(fault.HttpRequestError.IsBeforeSending, $"{fault.Message} {fault.InnerException?.Message}".TrimEnd());
        }
        catch (OperationCanceledException)
        {
            return Failed(surelyUnsent: false, ct.IsCancellationRequested ? "given up before an answer" : timeout.IsCancellationRequested
                ? $"no answer within {AnswerTimeout.TotalSeconds:0} s"
                : $"no connection within {ConnectTimeout.TotalSeconds:0} s");
        }

        VendorAnswer Failed(bool surelyUnsent, string words) => new(request.Method.Method, words,
            body?.IsWithdrawn == true ? VendorAnswerKind.Withdrawn
            : surelyUnsent || body?.LastByteMayHaveLeft != true ? VendorAnswerKind.Unsent
            : VendorAnswerKind.Unknown);
    }

    /// <summary>Connects, and looks at the certificate; calls nothing.</summary>
    public async ValueTask<ProviderLook?> LookAsync(CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(ConnectTimeout, _clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(_endpoint.DnsSafeHost, _endpoint.Port, cut.Token);
            if (_endpoint.Scheme != Uri.UriSchemeHttps)
                return new ProviderLook();
            await using var tls = new SslStream(new NetworkStream(socket));
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = _endpoint.DnsSafeHost }, cut.Token);
            return new ProviderLook(CertificateEnds: tls.RemoteCertificate is X509Certificate2 shown ? shown.NotAfter : null);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new ProviderLook($"{_endpoint.Authority} did not answer within {ConnectTimeout.TotalSeconds:0} s");
        }
        catch (Exception fault) when (fault is SocketException or IOException or AuthenticationException)
        {
            return new ProviderLook($"{_endpoint.Authority}: {fault.Message}");
        }
    }

    public void Dispose() => _client.Dispose();
}

/// <summary>What a fault of the HTTP client says of the request.</summary>
static class HttpRequestErrors
{
    extension(HttpRequestError error)
    {
        /// <summary>The connection never stood, so no byte of the request can have been read.</summary>
        public bool IsBeforeSending => error is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
            or HttpRequestError.SecureConnectionError or HttpRequestError.VersionNegotiationError;
    }
}
