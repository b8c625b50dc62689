using System.Text;

namespace Postrider.Mail.Addresses;

/// <summary>Puts a display name together from its words: plain, quoted and encoded ones.</summary>
/// <remarks>A name of plain words, or of one quoted string, is cut out of the text; only the others need a builder.</remarks>
ref struct PhraseBuilder(ReadOnlySpan<char> text)
{
    readonly ReadOnlySpan<char> _text = text;
    StringBuilder? _built;
    EncodedWordDecoder? _decoder;
    int _start = -1;
    int _end;
    bool _space;
    bool _lastWasEncoded;

    /// <summary>White space or a comment: one space, if another word follows.</summary>
    public void AddSpace() => _space = true;

    public void AddWord(int start, int end)
    {
        var word = _text[start..end];
        if (EncodedWord.TryFind(word, out var length) && length == word.Length && EncodedWordDecoder.CanDecode(word))
        {
            AddEncoded(word);
            return;
        }
        // Goes on where the plain words so far end, with one space between: still one cut.
        if (_built is null && (_start < 0 || (_space && _end + 1 == start && _text[_end] == ' ') || (!_space && _end == start)))
        {
            _start = _start < 0 ? start : _start;
            (_end, _space) = (end, false);
            return;
        }
        Builder().Append(word);
    }

    public void AddQuoted(int start, int end)
    {
        var quoted = _text[start..end];
        if (_built is null && _start < 0 && !quoted.Contains('\\'))
        {
            (_start, _end, _space) = (start + 1, end - 1, false);
            // What follows can no longer be one cut.
            _built = new StringBuilder().Append(_text[_start.._end]);
            return;
        }
        Builder().Append(AddressSyntax.Unquote(quoted));
    }

    void AddEncoded(ReadOnlySpan<char> word)
    {
        // RFC 2047 §6.2: white space between two encoded words is not shown.
        if (_lastWasEncoded)
            _space = false;
        var builder = _lastWasEncoded ? _built! : Builder();
        (_decoder ??= new EncodedWordDecoder()).Add(word, builder);
        _lastWasEncoded = true;
    }

    StringBuilder Builder()
    {
        if (_built is null)
        {
            _built = new StringBuilder();
            if (_start >= 0)
                _built.Append(_text[_start.._end]);
        }
        if (_lastWasEncoded)
            _decoder!.Flush(_built);
        _lastWasEncoded = false;
        if (_space && _built.Length > 0)
            _built.Append(' ');
        _space = false;
        return _built;
    }

    /// <param name="name">Null when there is none.</param>
    public readonly AddressFault Build(out string? name)
    {
        name = null;
        if (_built is null && _start < 0)
            return AddressFault.None;
        if (_lastWasEncoded)
            _decoder!.Flush(_built!);
        var built = _built is null ? _text[_start.._end].ToString() : _built.ToString();
        if (!Mailbox.IsName(built, out var fault))
            return fault;
        name = built.Length == 0 ? null : built;
        return AddressFault.None;
    }
}
