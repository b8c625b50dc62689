using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>
/// Takes a message apart into its parts. Reads whatever comes: what is damaged is read as far as can be, and only what passes a limit is
/// refused. Copies nothing; the entities are windows onto the bytes, which must not change.
/// </summary>
public static class MimeReader
{
    /// <summary>Reads under <see cref="MimeLimits.Default"/>.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out MimeEntity? message, out MimeFault fault) =>
        TryRead(bytes, MimeLimits.Default, out message, out fault);

    /// <summary>False, with the reason, only beyond the limits.</summary>
    public static bool TryRead(
        ReadOnlyMemory<byte> bytes, MimeLimits limits, [NotNullWhen(true)] out MimeEntity? message, out MimeFault fault)
    {
        fault = new MimeWalk(bytes, limits).Run(out message);
        return message is not null;
    }
}

/// <summary>One way through a message, from the first byte to the last: all multiparts that are open wait for their delimiters at
/// once, so that nesting costs nothing.</summary>
/// <remarks>As in Python's email, the delimiter of an outer multipart ends all inner ones, closed or not.</remarks>
sealed class MimeWalk
{
    readonly ReadOnlyMemory<byte> _bytes;
    readonly MimeLimits _limits;
    readonly Func<int, bool> _isDelimiter;

    /// <summary>The entities that the walk is inside of, outermost first.</summary>
    readonly List<Open> _open = [];

    /// <summary>Of the boundaries of those multiparts that wait for a delimiter: hash, and place in <see cref="_open"/>.</summary>
    readonly List<int> _hashes = [];
    readonly List<int> _places = [];
    int _at;
    int _parts;

    public MimeWalk(ReadOnlyMemory<byte> bytes, MimeLimits limits)
    {
        (_bytes, _limits) = (bytes, limits);
        _isDelimiter = at => TryReadDelimiter(_headerAt + at, out _);
    }

    int _headerAt;

    /// <summary>A part that is not closed yet.</summary>
    readonly record struct Open(MimeEntity Entity, int Start, byte[]? Boundary);

    /// <summary>A line between parts.</summary>
    readonly record struct Delimiter(int Place, int Start, int Next, bool IsClosing);

    public MimeFault Run(out MimeEntity? message)
    {
        message = null;
        var fault = Enter();
        if (fault != MimeFault.None)
            return fault;
        var root = _open[0].Entity;
        while (TryFindDelimiter(out var delimiter))
        {
            Leave(delimiter.Place + 1, EndBefore(delimiter.Start));
            _at = delimiter.Next;
            if (delimiter.IsClosing)
                Forget(delimiter.Place);
            else if (Enter() is not MimeFault.None and var inside)
                return inside;
        }
        Leave(0, _bytes.Length);
        message = root;
        return MimeFault.None;
    }

    /// <summary>An entity starts here. The message inside a message starts with its body.</summary>
    MimeFault Enter()
    {
        MimeEntity entity;
        do
        {
            if (_open.Count >= _limits.MaxDepth)
                return MimeFault.TooDeep;
            if (++_parts > _limits.MaxParts)
                return MimeFault.TooManyParts;
            _headerAt = _at;
            var scanner = new HeaderScanner(_bytes[_at..], _limits) { IsDelimiter = _hashes.Count > 0 ? _isDelimiter : null };
            if (!scanner.TryRead(out var header, out var fault))
                return fault;
            var parent = _open.Count > 0 ? _open[^1].Entity : null;
            entity = new MimeEntity(header, _bytes[_at..], _at, parent is { MediaType: "multipart/digest" });
            parent?.Add(entity);
            if (Push(entity) is not MimeFault.None and var badBoundary)
                return badBoundary;
            _at += header.Length;
        }
        while (entity is { IsMessage: true, Encoding: TransferEncoding.Identity });
        return MimeFault.None;
    }

    MimeFault Push(MimeEntity entity)
    {
        byte[]? boundary = null;
        if (entity.IsMultipart && entity.Type["boundary"] is { } given && given.TrimEnd() is { Length: > 0 } text)
        {
            boundary = Encoding.UTF8.GetBytes(text);
            if (boundary.Length > _limits.MaxBoundaryBytes)
                return MimeFault.BoundaryTooLong;
            _hashes.Add(HashOf(boundary));
            _places.Add(_open.Count);
        }
        _open.Add(new Open(entity, _at, boundary));
        return MimeFault.None;
    }

    /// <summary>Ends all entities from this place on; none ends before its own body starts.</summary>
    void Leave(int place, int end)
    {
        for (var i = place; i < _open.Count; i++)
            _open[i].Entity.EndAt(Math.Max(end - _open[i].Start, _open[i].Entity.Headers.Length));
        _open.RemoveRange(place, _open.Count - place);
        while (_places.Count > 0 && _places[^1] >= place)
        {
            _places.RemoveAt(_places.Count - 1);
            _hashes.RemoveAt(_hashes.Count - 1);
        }
    }

    /// <summary>A multipart that was closed has no more delimiters; what follows is its epilogue.</summary>
    void Forget(int place)
    {
        var i = _places.LastIndexOf(place);
        _places.RemoveAt(i);
        _hashes.RemoveAt(i);
    }

    bool TryFindDelimiter(out Delimiter delimiter)
    {
        delimiter = default;
        var span = _bytes.Span;
        for (var at = _at; _hashes.Count > 0 && at < span.Length;)
        {
            if (span[at..].StartsWith("--"u8) && TryReadDelimiter(at, out delimiter))
                return true;
            var next = span[at..].IndexOf("\n--"u8);
            if (next < 0)
                return false;
            at += next + 1;
        }
        return false;
    }

    /// <summary>RFC 2046 §5.1.1: two hyphens, the boundary, two more at the end of the multipart, white space; and nothing else.</summary>
    bool TryReadDelimiter(int start, out Delimiter delimiter)
    {
        var span = _bytes.Span;
        // A line that is longer cannot be one; it is not searched to its end, however often it is asked.
        var line = span.Slice(start + 2, Math.Min(span.Length - start - 2, _limits.MaxBoundaryBytes + 1_000));
        var end = line.IndexOf((byte)'\n');
        delimiter = default;
        if (end < 0 && start + 2 + line.Length < span.Length)
            return false;
        var next = end < 0 ? span.Length : start + 2 + end + 1;
        line = (end < 0 ? line : line[..end]).TrimEnd(" \t\r"u8);
        var (place, isClosing) = (PlaceOf(line), false);
        if (place < 0 && line.EndsWith("--"u8))
            (place, isClosing) = (PlaceOf(line[..^2]), true);
        delimiter = new Delimiter(place, start, next, isClosing);
        return place >= 0;
    }

    /// <summary>The innermost open multipart that waits for this boundary; -1 for none.</summary>
    int PlaceOf(ReadOnlySpan<byte> boundary)
    {
        if (boundary.IsEmpty || boundary.Length > _limits.MaxBoundaryBytes)
            return -1;
        var hash = HashOf(boundary);
        var hashes = CollectionsMarshal.AsSpan(_hashes);
        while (hashes.LastIndexOf(hash) is >= 0 and var i)
        {
            if (boundary.SequenceEqual(_open[_places[i]].Boundary))
                return _places[i];
            hashes = hashes[..i];
        }
        return -1;
    }

    static int HashOf(ReadOnlySpan<byte> boundary)
    {
        var hash = new HashCode();
        hash.AddBytes(boundary);
        return hash.ToHashCode();
    }

    /// <summary>The line end before a delimiter belongs to it.</summary>
    int EndBefore(int delimiter)
    {
        var span = _bytes.Span;
        var end = delimiter > 0 && span[delimiter - 1] == '\n' ? delimiter - 1 : delimiter;
        return end > 0 && end < delimiter && span[end - 1] == '\r' ? end - 1 : end;
    }
}
