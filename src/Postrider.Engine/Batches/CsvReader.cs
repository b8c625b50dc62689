using System.Text;

namespace Postrider.Batches;

/// <summary>A record of a CSV file.</summary>
/// <param name="Line">Where it begins, from 1.</param>
/// <param name="LastLine">Where it ends: a quoted field may hold line breaks.</param>
/// <param name="Fault">What is wrong with its form; null when nothing is.</param>
/// <param name="IsBroken">Nothing behind it can be read.</param>
public sealed record CsvRecord(long Line, long LastLine, IReadOnlyList<string> Fields, string? Fault, bool IsBroken)
{
    public bool IsBlank => Fields is [""];
}

/// <summary>Reads CSV (RFC 4180) as it comes, of any length: quoted fields, doubled quotes, line breaks of every kind. Takes spaces as they
/// are.</summary>
/// <param name="delimiter">Null: comma, semicolon or tab, whichever the first line has most of.</param>
public sealed class CsvReader(TextReader text, char? delimiter = null)
{
    /// <summary>In UTF-16 units. A quote that is not closed would swallow the rest of the file.</summary>
    public const int MaxRecordLength = 1_000_000;

    enum Place : byte { FieldStart, Plain, Quoted, AfterQuote }

    readonly char[] _buffer = new char[16 * 1024];
    readonly StringBuilder _field = new();
    char _delimiter = delimiter ?? '\0';
    int _at, _end;
    bool _afterReturn;   // a line feed belongs to the carriage return before it
    long _line = 1;

    // Of the record being read.
    List<string> _fields = [];
    Place _place;
    string? _fault;
    int _length;

    /// <summary>The next record; null at the end.</summary>
    public async ValueTask<CsvRecord?> ReadAsync(CancellationToken ct)
    {
        if (_delimiter == '\0')
            await FindDelimiterAsync(ct);
        (_fields, _place, _fault, _length) = ([], Place.FieldStart, null, 0);
        var started = _line;
        while (true)
        {
            if (_at == _end)
            {
                (_at, _end) = (0, await text.ReadAsync(_buffer.AsMemory(), ct));
                if (_end == 0)
                    return AtEnd(started);
            }
            if (Take())
                return new CsvRecord(started, _line - 1, _fields, _fault, IsBroken: false);
            if (_length > MaxRecordLength)
                return new CsvRecord(started, _line, [],
                    $"The record has more than {MaxRecordLength:N0} characters; is a quote not closed?", IsBroken: true);
        }
    }

    CsvRecord? AtEnd(long started)
    {
        if (_place == Place.FieldStart && _fields.Count == 0 && _length == 0)
            return null;
        if (_place == Place.Quoted)
            _fault = "A quoted field is not closed before the end of the file.";
        EndField();
        return new CsvRecord(started, _line, _fields, _fault, IsBroken: false);
    }

    /// <summary>What is in the buffer, up to the end of the record. True: it ended.</summary>
    bool Take()
    {
        while (_at < _end)
        {
            var c = _buffer[_at++];
            if (_afterReturn && c == '\n' && _length == 0)
            {
                _afterReturn = false;
                continue;
            }
            _afterReturn = false;
            if (_place != Place.Quoted && c is '\n' or '\r')
            {
                _afterReturn = c == '\r';
                _line++;
                EndField();
                return true;
            }
            _length++;
            Take(c);
        }
        return false;
    }

    void Take(char c)
    {
        switch (_place)
        {
            case Place.Quoted when c == '"': _place = Place.AfterQuote; break;
            case Place.Quoted:
                if (c == '\n')
                    _line++;
                _field.Append(c);
                break;
            case Place.FieldStart when c == '"': _place = Place.Quoted; break;
            case Place.AfterQuote when c == '"':
                _field.Append('"');
                _place = Place.Quoted;
                break;
            case var _ when c == _delimiter: EndField(); break;
            case Place.AfterQuote:
                _fault ??= "Something follows the closing quote of a field.";
                _field.Append(c);
                break;
            default:
                _field.Append(c);
                _place = Place.Plain;
                break;
        }
    }

    void EndField()
    {
        _fields.Add(_field.ToString());
        _field.Clear();
        _place = Place.FieldStart;
    }

    async ValueTask FindDelimiterAsync(CancellationToken ct)
    {
        while (_end < _buffer.Length && _buffer.AsSpan(0, _end).IndexOfAny('\r', '\n') < 0)
        {
            var read = await text.ReadAsync(_buffer.AsMemory(_end), ct);
            if (read == 0)
                break;
            _end += read;
        }
        var line = _buffer.AsSpan(0, _end);
        if (line.IndexOfAny('\r', '\n') is >= 0 and var length)
            line = line[..length];
        var best = 0;
        _delimiter = ',';
        foreach (var candidate in (ReadOnlySpan<char>)[',', ';', '\t'])
            if (Outside(line, candidate) is var count && count > best)
                (_delimiter, best) = (candidate, count);
    }

    static int Outside(ReadOnlySpan<char> line, char candidate)
    {
        var (count, quoted) = (0, false);
        foreach (var c in line)
            if (c == '"')
                quoted = !quoted;
            else if (c == candidate && !quoted)
                count++;
        return count;
    }
}
