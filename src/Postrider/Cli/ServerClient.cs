using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Postrider.Api;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary>A server as the commands see it. What goes wrong is a <see cref="CommandFailure"/> in plain words.</summary>
sealed class ServerClient : IDisposable
{
    readonly HttpClient _http;
    bool _sawCertificate; // the other side speaks TLS

    public ServerClient(Uri url, string key, bool insecure)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(10) };
        // --insecure takes the server's own self-signed certificate, which has no issuer to verify.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
        {
            _sawCertificate = true;
            CertificateEnds = (certificate as X509Certificate2)?.NotAfter;
            return insecure || errors == SslPolicyErrors.None;
        };
        _http = new HttpClient(handler) { BaseAddress = url, Timeout = TimeSpan.FromSeconds(100), MaxResponseContentBufferSize = 64 << 20 };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("postrider-cli", null));
    }

    /// <summary>Of the certificate that the server showed last; null: none.</summary>
    public DateTimeOffset? CertificateEnds { get; private set; }

    public Task<Answer> GetAsync(string path, CancellationToken ct) => CallAsync(HttpMethod.Get, path, null, null, ct);

    /// <param name="idempotencyKey">Null: none.</param>
    public Task<Answer> PostAsync(string path, string json, CancellationToken ct, string? idempotencyKey = null) =>
        CallAsync(HttpMethod.Post, path, json, idempotencyKey, ct);

    public Task<Answer> PatchAsync(string path, string json, CancellationToken ct) => CallAsync(HttpMethod.Patch, path, json, null, ct);

    /// <summary>A body of any length, which may take any time.</summary>
    /// <param name="idempotencyKey">Null: none.</param>
    public async Task<Answer> UploadAsync(string path, Stream content, string type, string? idempotencyKey, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative));
        request.Content = new StreamContent(content);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (idempotencyKey is not null)
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        using var response = await OpenStreamAsync(request, ct); // sent while it is read; the answer comes when all of it is kept
        return new Answer(await response.Content.ReadAsStringAsync(ct));
    }

    /// <summary>An answer of any length, as it comes; whole, or <see cref="CommandFailure"/>.</summary>
    /// <param name="step">Bytes done, and of how many (0: not known).</param>
    public async Task DownloadAsync(HttpMethod method, string path, Stream to, Action<long, long> step, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        // It may take any time to begin, and to come.
        using var response = await OpenStreamAsync(request, ct);
        var total = response.Content.Headers.ContentLength;
        var (buffer, done) = (new byte[1 << 16], 0L);
        try
        {
            await using var from = await response.Content.ReadAsStreamAsync(ct);
            for (int read; (read = await from.ReadAsync(buffer, ct)) > 0; step(done, total ?? 0))
            {
                await to.WriteAsync(buffer.AsMemory(0, read), ct);
                done += read;
            }
        }
        catch (Exception e) when (e is HttpRequestException or HttpIOException)
        {
            throw new CommandFailure(ExitCodes.Unavailable, $"{_http.BaseAddress} broke off after {done} bytes: {e.Message}");
        }
        if (total is { } whole && done != whole)
            throw new CommandFailure(ExitCodes.Unavailable, $"{_http.BaseAddress} broke off after {done} of {whole} bytes");
    }

    public Task<Answer> DeleteAsync(string path, CancellationToken ct) => CallAsync(HttpMethod.Delete, path, null, null, ct);

    public void Dispose() => _http.Dispose();

    /// <summary>Server-sent events until the stream ends: the place of each, and what it says (null: nothing, the stream is
    /// alive).</summary>
    /// <param name="after">The place after which it begins; null: now.</param>
    public async IAsyncEnumerable<(string Id, string? Data)> StreamAsync(
        string path, string? after, [EnumeratorCancellation] CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
        if (after is not null)
            request.Headers.Add("Last-Event-ID", after);
        using var response = await OpenStreamAsync(request, ct);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        var (id, data) = ("", (string?)null);
        while (await ReadLineAsync(reader, ct) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = line[6..];
            else if (line.Length == 0)
            {
                yield return (id, data);
                data = null;
            }
        }
    }

    async Task<HttpResponseMessage> OpenStreamAsync(HttpRequestMessage request, CancellationToken ct)
    {
        try
        {
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            if (response.IsSuccessStatusCode)
                return response;
            var text = await response.Content.ReadAsStringAsync(ct);
            throw Refusal(response.StatusCode, text);
        }
        catch (HttpRequestException e)
        {
            throw new CommandFailure(ExitCodes.Unavailable, NoAnswer(e));
        }
    }

    /// <summary>Null at the end, however it comes.</summary>
    static async Task<string?> ReadLineAsync(StreamReader reader, CancellationToken ct)
    {
        try
        {
            return await reader.ReadLineAsync(ct);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return null;
        }
    }

    async Task<Answer> CallAsync(HttpMethod method, string path, string? json, string? idempotencyKey, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        if (idempotencyKey is not null)
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        try
        {
            using var response = await _http.SendAsync(request, ct);
            var text = await response.Content.ReadAsStringAsync(ct);
            return response.IsSuccessStatusCode ? new Answer(text) : throw Refusal(response.StatusCode, text);
        }
        catch (HttpRequestException e)
        {
            throw new CommandFailure(ExitCodes.Unavailable, NoAnswer(e));
        }
        catch (TaskCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new CommandFailure(ExitCodes.Unavailable, $"{_http.BaseAddress} did not answer within {_http.Timeout.TotalSeconds:0} s");
        }
    }

    string NoAnswer(HttpRequestException error) => error.InnerException switch
    {
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } =>
            $"no server answers at {_http.BaseAddress}: is it running? Another address is given with --url or POSTRIDER_URL",
        _ when _http.BaseAddress!.Scheme == "https" && !_sawCertificate && error.HttpRequestError == HttpRequestError.SecureConnectionError =>
            $"what answers at {_http.BaseAddress} does not speak TLS: is it http://{_http.BaseAddress.Authority}?",
        _ when _http.BaseAddress!.Scheme == "http" && error.HttpRequestError == HttpRequestError.ResponseEnded =>
            $"{_http.BaseAddress} closed the connection without an answer: is it https://{_http.BaseAddress.Authority}?",
        System.Security.Authentication.AuthenticationException =>
            $"the certificate of {_http.BaseAddress} cannot be verified; if it is the self-signed one, give --insecure",
        SocketException socket => $"no server answers at {_http.BaseAddress}: {socket.Message}",
        _ => $"no answer from {_http.BaseAddress}: {error.Message}",
    };

    /// <summary>The server's own words (RFC 9457), each fault on a line of its own.</summary>
    static CommandFailure Refusal(HttpStatusCode status, string text)
    {
        try
        {
            using var problem = JsonDocument.Parse(text);
            var detail = Text(problem.RootElement, "detail") ?? Text(problem.RootElement, "title") ?? $"the server answered {(int)status}";
            List<string> faults = [];
            if (problem.RootElement.TryGetProperty("errors", out var errors) && errors.ValueKind == JsonValueKind.Array)
                faults.AddRange(errors.EnumerateArray().Select(error =>
                    (Text(error, "pointer") is { Length: > 0 } pointer ? pointer + ": " : "") + Text(error, "detail")));
            if (status == HttpStatusCode.Unauthorized)
                detail = "the server does not take this API key (--key, else POSTRIDER_API_KEY): it may be another server's, revoked or expired";
            // A single fault is the detail itself, with its place.
            return new CommandFailure(CommandFailure.Failed,
                Screen.Printable(faults is [var only] ? only : string.Join("\n  ", faults.Prepend(detail))));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new CommandFailure(CommandFailure.Failed,
                $"the server answered {(int)status}, and not as Postrider does; is --url right?");
        }
    }

    static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>A success: the JSON as it came.</summary>
sealed record Answer(string Json)
{
    /// <summary>Read as one of the API's own shapes.</summary>
    public T As<T>(JsonTypeInfo<T> shape)
    {
        try
        {
            return JsonSerializer.Deserialize(Json, shape) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw new CommandFailure(CommandFailure.Failed, "the server's answer cannot be read: it may be of another version");
        }
    }

    public EmailAnswer AsEmail() => As(ApiJson.Default.EmailAnswer);
}
