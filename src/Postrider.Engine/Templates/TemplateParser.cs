namespace Postrider.Templates;

/// <summary>Reads a template in the language of Handlebars into its parts.</summary>
/// <remarks>Every helper is known here, so one that does not exist is found when a template is saved, not when it is sent.</remarks>
sealed class TemplateParser
{
    /// <summary>Blocks, else-branches and sub-expressions inside one another: reading and filling in are recursive.</summary>
    const int MaxDepth = 60;

    readonly string _source;
    readonly bool _allowRaw;
    readonly List<TemplateTag> _tags;
    int _next;      // in _tags
    int _depth;

    TemplateParser(string source, bool allowRaw)
    {
        (_source, _allowRaw) = (source, allowRaw);
        _tags = TemplateTags.Read(source);
    }

    readonly Dictionary<string, IReadOnlyList<TemplateNode>> _partials = new(StringComparer.Ordinal);
    readonly List<PartialNode> _calls = [];

    /// <param name="allowRaw">Values in three braces.</param>
    /// <param name="partials">Those that the template defines itself, by name.</param>
    /// <param name="missing">Calls of others, in their order.</param>
    /// <exception cref="TemplateException">It cannot be read.</exception>
    public static IReadOnlyList<TemplateNode> Parse(
        string source, bool allowRaw, out IReadOnlyDictionary<string, IReadOnlyList<TemplateNode>> partials,
        out IReadOnlyList<PartialNode> missing)
    {
        var parser = new TemplateParser(source, allowRaw);
        var nodes = parser.Nodes(within: null);
        partials = parser._partials;
        missing = [.. parser._calls.Where(call => call.Name != PartialNode.Block && !parser._partials.ContainsKey(call.Name))];
        return nodes;
    }

    /// <summary>What follows up to the end of the block, or of all; the tag that ends it is not taken.</summary>
    /// <param name="within">The tag that opened the block.</param>
    List<TemplateNode> Nodes(TemplateTag? within)
    {
        var nodes = new List<TemplateNode>();
        while (_next < _tags.Count)
        {
            var tag = _tags[_next];
            if (tag.Kind is TagKind.Close or TagKind.Else)
                return within is null ? throw Fault(tag.At, $"{Shown(tag)} belongs to no open block.") : nodes;
            _next++;
            switch (tag.Kind)
            {
                case TagKind.Text: nodes.Add(new TextNode(tag.At, _source[tag.Start..tag.End])); break;
                case TagKind.Value or TagKind.Raw: nodes.Add(Value(tag)); break;
                case TagKind.Open or TagKind.Inverse: nodes.Add(Block(tag)); break;
                case TagKind.Partial: nodes.Add(Partial(tag)); break;
                case TagKind.PartialBlock: nodes.Add(PartialBlock(tag)); break;
                case TagKind.InlinePartial: Define(tag); break;
            }
        }
        return within is { } open ? throw Fault(open.At, $"{Shown(open)} is not closed.") : nodes;
    }

    ValueNode Value(TemplateTag tag)
    {
        if (tag.Kind == TagKind.Raw && !_allowRaw)
            throw Fault(tag.At, "A value in three braces is not escaped, and this template does not allow that.");
        var words = new ExpressionReader(_source, tag.Start, tag.End, MaxDepth - _depth);
        var value = words.Value();
        words.ExpectEnd();
        return new ValueNode(tag.At, value, tag.Kind == TagKind.Raw);
    }

    BlockNode Block(TemplateTag tag)
    {
        Enter(tag);
        var block = Head(tag, tag.Start, tag.Kind == TagKind.Inverse);
        FillBlock(block, tag);
        var close = _tags[_next++];
        var name = _source.AsSpan(close.Start, close.End - close.Start).Trim();
        if (!name.SequenceEqual(block.Call.Head.Text))
            throw Fault(close.At, $"{Shown(close)} closes nothing: {Shown(tag)} is open.");
        _depth--;
        return block;
    }

    /// <summary>Body and else, up to the closing tag, which stays. An else with a condition is a block in the else.</summary>
    void FillBlock(BlockNode block, TemplateTag open)
    {
        block.Body = Nodes(open);
        if (_tags[_next].Kind == TagKind.Close)
            return;
        var otherwise = _tags[_next++];
        if (_source.AsSpan(otherwise.Start, otherwise.End - otherwise.Start).IsWhiteSpace())
        {
            block.Else = Nodes(open);
            if (_tags[_next].Kind == TagKind.Else)
                throw Fault(_tags[_next].At, $"{Shown(open)} has an else already.");
            return;
        }
        Enter(otherwise);
        var next = Head(otherwise, otherwise.Start, isInverse: false);
        FillBlock(next, open);
        block.Else = [next];
        _depth--;
    }

    BlockNode Head(TemplateTag tag, int start, bool isInverse)
    {
        var words = new ExpressionReader(_source, start, tag.End, MaxDepth - _depth);
        var call = words.Call();
        var names = words.BlockNames();
        words.ExpectEnd();
        TemplateFunctions.Check(call, isBlock: true);
        return new BlockNode(tag.At, call, isInverse, names);
    }

    PartialNode Partial(TemplateTag tag)
    {
        var words = new ExpressionReader(_source, tag.Start, tag.End, MaxDepth - _depth);
        var name = words.Name() ?? throw Fault(tag.At, "A partial is called by its name.");
        var (arguments, named) = words.Arguments();
        words.ExpectEnd();
        if (arguments.Count > 1)
            throw Fault(tag.At, "A partial takes one context.");
        var call = new PartialNode(tag.At, name, arguments.Count == 0 ? null : arguments[0], named);
        _calls.Add(call);
        return call;
    }

    PartialNode PartialBlock(TemplateTag tag)
    {
        Enter(tag);
        var call = Partial(tag);
        call.Body = Nodes(tag);
        var close = _tags[_next++];
        var name = _source.AsSpan(close.Start, close.End - close.Start).Trim();
        if (close.Kind != TagKind.Close || !name.Trim("\"'").SequenceEqual(call.Name))
            throw Fault(close.At, $"{Shown(close)} closes nothing: {Shown(tag)} is open.");
        _depth--;
        return call;
    }

    void Define(TemplateTag tag)
    {
        Enter(tag);
        var words = new ExpressionReader(_source, tag.Start, tag.End, MaxDepth - _depth);
        var name = words.Name() ?? throw Fault(tag.At, "A partial needs a name: {{#*inline \"name\"}}.");
        words.ExpectEnd();
        if (name == PartialNode.Block)
            throw Fault(tag.At, $"{PartialNode.Block} is not a partial's own name.");
        _partials[name] = Nodes(tag);
        var close = _tags[_next++];
        if (close.Kind != TagKind.Close || !_source.AsSpan(close.Start, close.End - close.Start).Trim().SequenceEqual("inline"))
            throw Fault(close.At, $"{Shown(close)} closes nothing: {Shown(tag)} is open.");
        _depth--;
    }

    void Enter(TemplateTag tag)
    {
        if (++_depth > MaxDepth)
            throw Fault(tag.At, $"More than {MaxDepth} blocks are inside one another.");
    }

    string Shown(TemplateTag tag)
    {
        const int longest = 40;
        var end = _source.IndexOf("}}", tag.At, StringComparison.Ordinal) + 2;
        return end - tag.At <= longest ? _source[tag.At..end] : $"{_source[tag.At..(tag.At + longest)]}…";
    }

    static TemplateException Fault(int at, string message) => new(TemplateFaultKind.Syntax, at, message);
}
