using System.Globalization;

namespace Postrider.Templates;

/// <summary>Reads what stands inside one tag.</summary>
/// <param name="start">Where it begins in the source.</param>
/// <param name="depth">How many sub-expressions may be inside one another.</param>
sealed class ExpressionReader(string source, int start, int end, int depth)
{
    // Of the grammar of Handlebars: these end a name.
    const string NoName = "!\"#%&'()*+,./;<=>@[\\]^`{|}~";

    int _at = start;
    int _depth = depth;

    /// <summary>A path, a literal, or a call of a helper.</summary>
    public TemplateExpression Value()
    {
        SkipSpace();
        var at = _at;
        var head = Operand();
        SkipSpace();
        if (_at == end)
            return head;
        if (head is not PathExpression path)
            throw Fault(at, "Only a helper takes arguments.");
        var (arguments, named) = Arguments();
        var call = new CallExpression(at, path, arguments, named);
        if (call.HasArguments)
            TemplateFunctions.Check(call, isBlock: false);
        return call.HasArguments ? call : path;
    }

    /// <summary>The head of a block with its arguments.</summary>
    public CallExpression Call()
    {
        SkipSpace();
        var at = _at;
        if (_at == end || Operand() is not PathExpression head)
            throw Fault(at, "A block begins with a name.");
        var (arguments, named) = Arguments();
        return new CallExpression(at, head, arguments, named);
    }

    /// <summary>The names of <c>as |a b|</c>; empty where there is none.</summary>
    public IReadOnlyList<string> BlockNames()
    {
        SkipSpace();
        if (!IsBlockNames())
            return [];
        var open = source.IndexOf('|', _at, end - _at);
        var close = source.IndexOf('|', open + 1, end - open - 1);
        if (close < 0)
            throw Fault(open, "The names after 'as' are not closed by '|'.");
        _at = close + 1;
        return source[(open + 1)..close].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
    }

    public (IReadOnlyList<TemplateExpression> Arguments, IReadOnlyList<KeyValuePair<string, TemplateExpression>> Named) Arguments()
    {
        List<TemplateExpression> arguments = [];
        List<KeyValuePair<string, TemplateExpression>> named = [];
        for (SkipSpace(); _at < end && source[_at] != ')' && !IsBlockNames(); SkipSpace())
        {
            var at = _at;
            if (Key() is { } key)
                named.Add(new(key, Operand()));
            else if (named.Count > 0)
                throw Fault(at, "Arguments with a name come last.");
            else
                arguments.Add(Operand());
        }
        return (arguments, named);
    }

    /// <summary>A name as a word or in quotes; null where there is none.</summary>
    public string? Name()
    {
        SkipSpace();
        if (_at == end)
            return null;
        if (source[_at] is '"' or '\'')
            return Quoted();
        var from = _at;
        if (source.AsSpan(_at, end - _at).StartsWith(PartialNode.Block))
            _at++;
        while (_at < end && (IsOfName(source[_at]) || source[_at] is '/' or '.'))
            _at++;
        return _at == from ? null : source[from.._at];
    }

    public void ExpectEnd()
    {
        SkipSpace();
        if (_at < end)
            throw Fault(_at, $"'{source[_at]}' is not expected here.");
    }

    TemplateExpression Operand()
    {
        SkipSpace();
        if (_at == end)
            throw Fault(_at, "Something is missing here.");
        var at = _at;
        var c = source[_at];
        if (c == '(')
            return SubExpression();
        if (c is '"' or '\'')
            return new LiteralExpression(at, Quoted());
        if (c is '-' or (>= '0' and <= '9') && Number() is { } number)
            return new LiteralExpression(at, number);
        var path = Path();
        return path switch
        {
            { IsOfContext: false, IsVariable: false, Parts: ["true"] } => new LiteralExpression(at, true),
            { IsOfContext: false, IsVariable: false, Parts: ["false"] } => new LiteralExpression(at, false),
            { IsOfContext: false, IsVariable: false, Parts: ["null" or "undefined"] } => new LiteralExpression(at, null),
            _ => path,
        };
    }

    CallExpression SubExpression()
    {
        var at = _at++;
        if (--_depth < 0)
            throw Fault(at, "Too many expressions are inside one another.");
        SkipSpace();
        if (_at == end || Operand() is not PathExpression head)
            throw Fault(at, "A helper is called by its name.");
        var (arguments, named) = Arguments();
        if (_at == end || source[_at] != ')')
            throw Fault(at, "The parenthesis is not closed.");
        _at++;
        _depth++;
        var call = new CallExpression(at, head, arguments, named);
        TemplateFunctions.Check(call, isBlock: false);
        return call;
    }

    PathExpression Path()
    {
        var from = _at;
        var isVariable = source[_at] == '@';
        if (isVariable)
            _at++;
        var up = 0;
        var isOfContext = false;
        var parts = new List<string>();
        while (true)
        {
            if (Skip("../") || SkipWord(".."))
                up++;
            else if (Skip("./") || SkipWord("this") || SkipWord("."))
                Skip(".", "/");
            else
                break;
            isOfContext = true;
        }
        while (_at < end && (IsOfName(source[_at]) || source[_at] == '['))
        {
            parts.Add(Part());
            if (!Skip(".", "/"))
                break;
            if (_at == end || !(IsOfName(source[_at]) || source[_at] == '['))
                throw Fault(_at, "A name is missing after the dot.");
        }
        if (_at == from || (isVariable && parts.Count == 0))
            throw Fault(from, $"'{source[from]}' is not expected here.");
        return new PathExpression(from, up, isVariable, isOfContext, parts, source[from.._at]);
    }

    string Part()
    {
        var from = _at;
        if (source[_at] == '[')
        {
            var close = source.IndexOf(']', _at, end - _at);
            if (close < 0)
                throw Fault(from, "The bracket is not closed.");
            _at = close + 1;
            return source[(from + 1)..close];
        }
        while (_at < end && IsOfName(source[_at]))
            _at++;
        return source[from.._at];
    }

    /// <summary>The name before a <c>=</c>, and goes behind it; null and stays where there is none.</summary>
    string? Key()
    {
        var i = _at;
        while (i < end && IsOfName(source[i]))
            i++;
        if (i == _at || i >= end || source[i] != '=')
            return null;
        var key = source[_at..i];
        _at = i + 1;
        return key;
    }

    string Quoted()
    {
        var close = source.IndexOf(source[_at], _at + 1, end - _at - 1);
        if (close < 0)
            throw Fault(_at, "The text is not closed.");
        var text = source[(_at + 1)..close];
        _at = close + 1;
        return text;
    }

    /// <summary>Null where a name begins with digits.</summary>
    decimal? Number()
    {
        var i = _at + 1;
        while (i < end && (char.IsAsciiDigit(source[i]) || source[i] == '.'))
            i++;
        if (i < end && !char.IsWhiteSpace(source[i]) && source[i] != ')')
            return null;
        if (!decimal.TryParse(source.AsSpan(_at, i - _at), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture, out var number))
            return null;
        _at = i;
        return number;
    }

    bool IsBlockNames() => _at + 3 < end && source.AsSpan(_at, 2) is "as" && char.IsWhiteSpace(source[_at + 2])
        && source.AsSpan(_at + 2, end - _at - 2).TrimStart() is ['|', ..];

    bool Skip(params ReadOnlySpan<string> texts)
    {
        foreach (var text in texts)
            if (end - _at >= text.Length && string.CompareOrdinal(source, _at, text, 0, text.Length) == 0)
            {
                _at += text.Length;
                return true;
            }
        return false;
    }

    bool SkipWord(string word)
    {
        var after = _at + word.Length;
        return (after >= end || (!IsOfName(source[after]) && (word != "." || source[after] is not ('.' or '[')))) && Skip(word);
    }

    void SkipSpace()
    {
        while (_at < end && char.IsWhiteSpace(source[_at]))
            _at++;
    }

    static bool IsOfName(char c) => !char.IsWhiteSpace(c) && !NoName.Contains(c, StringComparison.Ordinal);

    static TemplateException Fault(int at, string message) => new(TemplateFaultKind.Syntax, at, message);
}
