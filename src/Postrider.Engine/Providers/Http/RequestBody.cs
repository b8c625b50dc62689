using System.Net;
using System.Net.Http.Headers;

namespace Postrider.Providers.Http;

/// <summary>The body of a call: knows whether its last byte may have left, and asks the commit point before its first.</summary>
/// <remarks>Its length is announced, so a vendor that did not get the last byte knows that it has no whole request.</remarks>
sealed class RequestBody : HttpContent
{
    const int ChunkBytes = 64 * 1024;

    readonly ReadOnlyMemory<byte> _bytes;
    readonly Func<CancellationToken, ValueTask<bool>>? _commitPoint;
    bool _isCommitted;
    volatile bool _lastByteMayHaveLeft;

    public RequestBody(ReadOnlyMemory<byte> bytes, string contentType, Func<CancellationToken, ValueTask<bool>>? commitPoint)
    {
        (_bytes, _commitPoint) = (bytes, commitPoint);
        Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        Headers.ContentLength = bytes.Length;
    }

    /// <summary>Set before the write that contains the last byte: from then on nobody knows how far it went.</summary>
    public bool LastByteMayHaveLeft => _lastByteMayHaveLeft;

    /// <summary>The commit point said no; nothing of the body left.</summary>
    public bool IsWithdrawn { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => WriteAsync(stream, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        WriteAsync(stream, cancellationToken);

    protected override bool TryComputeLength(out long length)
    {
        length = _bytes.Length;
        return true;
    }

    async Task WriteAsync(Stream stream, CancellationToken ct)
    {
        // Written a second time only where the server said that it did not process the first (RFC 9113 §8.7): that one does not count.
        _lastByteMayHaveLeft = false;
        if (_commitPoint is not null && !_isCommitted)
        {
            _isCommitted = await _commitPoint(ct);
            IsWithdrawn = !_isCommitted;
            if (IsWithdrawn)
                throw new OperationCanceledException("the commit point was refused");
        }
        var rest = _bytes;
        while (rest.Length > ChunkBytes)
        {
            await stream.WriteAsync(rest[..ChunkBytes], ct);
            rest = rest[ChunkBytes..];
        }
        _lastByteMayHaveLeft = true;
        await stream.WriteAsync(rest, ct);
    }
}
