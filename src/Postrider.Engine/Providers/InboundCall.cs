namespace Postrider.Providers;

/// <summary>An HTTP request as it reached us: a call to a vendor's API that we stand in for, or a vendor's callback. Read as bytes before
/// anything is parsed.</summary>
public sealed record InboundCall
{
    public required string Method { get; init; }

    /// <summary>Decoded, without query, any prefix of ours taken off and slashes collapsed: <c>/v3/mail/send</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Path and query exactly as they stood in the request line; signatures are made over them.</summary>
    public required string Target { get; init; }

    /// <summary>In the order received; names may repeat.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The first value of a header, or null.</summary>
    public string? Header(string name)
    {
        foreach (var header in Headers)
        {
            if (header.Key.Equals(name, StringComparison.OrdinalIgnoreCase))
                return header.Value;
        }
        return null;
    }
}
