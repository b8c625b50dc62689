namespace Postrider.Testing;

/// <summary>Reads lines that end in CRLF, and nothing else ends them; and blocks of a known size.</summary>
sealed class SmtpSinkReader(Stream stream)
{
    byte[] _buffer = new byte[8192];
    int _start;
    int _end;

    /// <summary>True when a command can be read without waiting, so that replies may go out together.</summary>
    public bool HasLine => _buffer.AsSpan(_start.._end).IndexOf("\r\n"u8) >= 0;

    /// <summary>The line without its end; null when the peer hung up.</summary>
    public async Task<byte[]?> ReadLineAsync()
    {
        var looked = 0;
        while (true)
        {
            var end = _buffer.AsSpan((_start + looked).._end).IndexOf("\r\n"u8);
            if (end >= 0)
            {
                var line = _buffer[_start..(_start + looked + end)];
                _start += looked + end + 2;
                return line;
            }
            looked = Math.Max(0, _end - _start - 1);
            if (!await FillAsync())
                return null;
        }
    }

    /// <summary>Exactly so many bytes; null when the peer hung up before.</summary>
    public async Task<byte[]?> ReadBlockAsync(int length)
    {
        while (_end - _start < length)
        {
            if (!await FillAsync())
                return null;
        }
        var block = _buffer[_start..(_start + length)];
        _start += length;
        return block;
    }

    async Task<bool> FillAsync()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length * 2);
        var read = await stream.ReadAsync(_buffer.AsMemory(_end));
        _end += read;
        return read > 0;
    }
}
