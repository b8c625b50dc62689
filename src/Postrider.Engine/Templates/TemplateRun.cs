using System.Globalization;

namespace Postrider.Templates;

/// <summary>One filling in of a template.</summary>
sealed class TemplateRun(IReadOnlyDictionary<string, IReadOnlyList<TemplateNode>> partials, TemplateData data, FillRules rules)
{
    /// <summary>Partials that call partials.</summary>
    const int MaxPartials = 16;

    /// <summary>Blocks inside one another, over all partials: some 100 KB of stack.</summary>
    const int MaxDepth = 200;

    /// <summary>Steps between two looks at the clock.</summary>
    const int StepsPerLook = 1_024;

    readonly TemplateOutput _output = new(rules.IsHtml, rules.MaxLength);
    readonly long _started = rules.Clock?.GetTimestamp() ?? 0;
    int _steps;
    readonly Stack<IReadOnlyList<TemplateNode>> _blocks = new(); // that partials were called with
    int _partialDepth;
    int _depth;

    public string Run(IReadOnlyList<TemplateNode> nodes)
    {
        Write(nodes, new Frame(data.Root, null));
        return _output.ToString();
    }

    void Write(IReadOnlyList<TemplateNode> nodes, Frame frame)
    {
        _depth++;
        foreach (var node in nodes)
        {
            Step(node.At);
            if (_depth > MaxDepth)
                throw Limit(node.At, $"More than {MaxDepth} blocks are inside one another.");
            switch (node)
            {
                case TextNode text: _output.Write(text.Text, node.At); break;
                case ValueNode value: WriteValue(value, frame); break;
                case BlockNode block: WriteBlock(block, frame); break;
                case PartialNode partial: WritePartial(partial, frame); break;
            }
        }
        _depth--;
    }

    /// <param name="steps">How much work it is: what goes through data takes a step for each part of them.</param>
    void Step(int at, int steps = 1)
    {
        var looks = _steps / StepsPerLook;
        _steps += steps;
        if (_steps > rules.MaxSteps)
            throw Limit(at, string.Create(CultureInfo.InvariantCulture, $"The template takes more than {rules.MaxSteps} steps."));
        if (_steps / StepsPerLook != looks && rules.Clock is { } clock && clock.GetElapsedTime(_started) > rules.MaxTime)
            throw Limit(at, string.Create(
                CultureInfo.InvariantCulture, $"The template takes longer than {rules.MaxTime.TotalMilliseconds:0} ms."));
    }

    void WriteValue(ValueNode node, Frame frame)
    {
        var value = Value(node.Value, frame);
        if (rules.IsStrict && (value is null || TemplateValues.IsMissing(value)))
            throw new TemplateException(TemplateFaultKind.Data, node.At, node.Value is PathExpression path
                ? $"Attribute '{path.Text}' is not present in the rendering data."
                : "What is to be printed is not present in the rendering data.");
        Step(node.At, TemplateValues.Weight(value));
        if (node.IsRaw)
            _output.Write(TemplateValues.Text(value), node.At);
        else
            _output.WriteValue(TemplateValues.Text(value), node.At);
    }

    void WriteBlock(BlockNode block, Frame frame)
    {
        var (body, otherwise) = block.IsInverse ? (block.Else, block.Body) : (block.Body, block.Else);
        var name = block.Call.HasArguments ? block.Call.Head.Simple : null;
        switch (name)
        {
            case TemplateFunctions.If: Choose(Condition(block.Call, frame)); break;
            case TemplateFunctions.Unless: Choose(!Condition(block.Call, frame)); break;
            case TemplateFunctions.Each: Repeat(Value(block.Call.Arguments[0], frame), block, body, otherwise, frame); break;
            case TemplateFunctions.With: Enter(Value(block.Call.Arguments[0], frame)); break;
            case null: OfData(Value(block.Call.Head, frame)); break;
            default: Choose(TemplateValues.IsTrue(Value(block.Call, frame))); break;
        }

        void Choose(bool condition) => Write(condition ? body : otherwise, frame);

        void Enter(object? value)
        {
            if (TemplateValues.IsEmpty(value))
                Write(otherwise, frame);
            else
                Write(body, new Frame(value, frame, Named(block.Names, value)));
        }

        // {{#name}} without a helper: a list is gone through, true is a condition, anything else that is there is entered.
        void OfData(object? value)
        {
            if (value is object?[])
                Repeat(value, block, body, otherwise, frame);
            else if (value is true)
                Write(body, frame);
            else if (value is null or false || TemplateValues.IsMissing(value))
                Write(otherwise, frame);
            else
                Write(body, new Frame(value, frame, Named(block.Names, value)));
        }
    }

    bool Condition(CallExpression call, Frame frame)
    {
        var value = Value(call.Arguments[0], frame);
        var includeZero = call.Named.FirstOrDefault(one => one.Key == "includeZero").Value is { } option
            && TemplateValues.IsTrue(Value(option, frame));
        return TemplateValues.IsTrue(value) || (includeZero && value is 0m or 0d);
    }

    void Repeat(object? value, BlockNode block, IReadOnlyList<TemplateNode> body, IReadOnlyList<TemplateNode> otherwise, Frame frame)
    {
        var count = value switch
        {
            object?[] list => list.Length,
            Dictionary<string, object?> members => members.Count,
            _ => 0,
        };
        if (count == 0)
        {
            Write(otherwise, frame);
            return;
        }
        var index = 0;
        var items = value is object?[] all
            ? all.Select((item, i) => KeyValuePair.Create<object?, object?>((decimal)i, item))
            : ((Dictionary<string, object?>)value!).Select(one => KeyValuePair.Create<object?, object?>(one.Key, one.Value));
        foreach (var (key, item) in items)
        {
            Step(block.At);
            var round = new Round((decimal)index, key, index == 0, index == count - 1);
            Write(body, new Frame(item, frame, Named(block.Names, item, key)) { Round = round });
            index++;
        }
    }

    void WritePartial(PartialNode partial, Frame frame)
    {
        if (++_partialDepth > MaxPartials)
            throw Limit(partial.At, $"More than {MaxPartials} partials are inside one another.");
        var context = partial.Context is { } expression ? Value(expression, frame) : frame.Value;
        if (partial.Named.Count > 0)
        {
            Step(partial.At, context is Dictionary<string, object?> { Count: var count } ? count : 0);
            var members = context is Dictionary<string, object?> given ? new Dictionary<string, object?>(given, StringComparer.Ordinal)
                : [];
            foreach (var (name, value) in partial.Named)
                members[name] = Value(value, frame);
            context = members;
        }
        WriteCalled(partial, ReferenceEquals(context, frame.Value) ? frame : new Frame(context, frame));
        _partialDepth--;
    }

    void WriteCalled(PartialNode partial, Frame frame)
    {
        if (partial.Name == PartialNode.Block)
        {
            // Within the block the name means the one around it. Without one there is nothing to show.
            if (!_blocks.TryPop(out var block))
                return;
            Write(block, frame);
            _blocks.Push(block);
        }
        else if (!partials.TryGetValue(partial.Name, out var nodes))
            Write(partial.Body!, frame);
        else if (partial.Body is null)
            Write(nodes, frame);
        else
        {
            _blocks.Push(partial.Body);
            Write(nodes, frame);
            _blocks.Pop();
        }
    }

    object? Value(TemplateExpression expression, Frame frame)
    {
        Step(expression.At);
        return expression switch
        {
            LiteralExpression literal => literal.Value,
            PathExpression path => Resolve(path, frame),
            CallExpression call => Invoke(call, frame),
            _ => throw new InvalidOperationException($"Unknown expression {expression.GetType().Name}."),
        };
    }

    object? Invoke(CallExpression call, Frame frame)
    {
        object?[] arguments = [.. call.Arguments.Select(one => Value(one, frame))];
        Step(call.At, arguments.Sum(TemplateValues.Weight));
        return TemplateFunctions.Invoke(call.Head.Simple!, arguments);
    }

    object? Resolve(PathExpression path, Frame frame)
    {
        var parts = path.Parts;
        object? value;
        var from = 1;
        if (path.IsVariable)
            value = Variable(parts[0], path.Up, frame);
        else if (!path.IsOfContext && Parameter(parts[0], frame, out var parameter))
            value = parameter;
        else
        {
            var at = frame;
            for (var up = path.Up; up > 0 && at is not null; up--)
                at = at.Around;
            if (at is null)
                return TemplateValues.Missing;
            (value, from) = (at.Value, 0);
        }
        for (var i = from; i < parts.Count; i++)
            value = TemplateValues.Member(value, parts[i]);
        return value;
    }

    /// <param name="up">Rounds, not contexts, to go out of.</param>
    object? Variable(string name, int up, Frame frame)
    {
        if (name == "root")
            return data.Root;
        var at = frame.WithRound;
        for (; up > 0 && at is not null; up--)
            at = at.Parent?.WithRound;
        return (name, at?.Round) switch
        {
            ("index", { } round) => round.Index,
            ("key", { } round) => round.Key,
            ("first", { } round) => round.IsFirst,
            ("last", { } round) => round.IsLast,
            _ => TemplateValues.Missing,
        };
    }

    static bool Parameter(string name, Frame frame, out object? value)
    {
        value = null;
        for (var at = frame; at is not null; at = at.Parent)
            if (at.Parameters?.TryGetValue(name, out value) == true)
                return true;
        return false;
    }

    static Dictionary<string, object?>? Named(IReadOnlyList<string> names, params ReadOnlySpan<object?> values)
    {
        if (names.Count == 0)
            return null;
        var parameters = new Dictionary<string, object?>(StringComparer.Ordinal);
        for (var i = 0; i < names.Count && i < values.Length; i++)
            parameters[names[i]] = values[i];
        return parameters;
    }

    static TemplateException Limit(int at, string message) => new(TemplateFaultKind.Limit, at, message);

    /// <summary>A context with the one around it.</summary>
    sealed record Frame(object? Value, Frame? Parent, Dictionary<string, object?>? Parameters = null)
    {
        public Round? Round { get; init; }

        /// <summary>Where <c>../</c> leads: to the next that is another.</summary>
        public Frame? Around => Parent is null || !Equals(Parent.Value, Value) ? Parent : Parent.Around;

        /// <summary>A <c>with</c> inside an <c>each</c> still knows the round.</summary>
        public Frame? WithRound => Round is not null ? this : Parent?.WithRound;
    }

    /// <summary>One round of an <c>each</c>, as <c>@index</c> and the like show it.</summary>
    sealed record Round(object Index, object? Key, object IsFirst, object IsLast);
}
