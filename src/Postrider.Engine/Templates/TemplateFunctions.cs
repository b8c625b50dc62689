using System.Collections.Frozen;
using System.Globalization;

namespace Postrider.Templates;

/// <summary>What Handlebars calls helpers: its own, and those that SendGrid adds to them. None reads or writes anything but its
/// arguments.</summary>
static class TemplateFunctions
{
    /// <summary>What a block is filled in by; the interpreter knows them.</summary>
    public const string If = "if", Unless = "unless", Each = "each", With = "with", Lookup = "lookup";

    static readonly FrozenDictionary<string, Helper> All = new Dictionary<string, Helper>
    {
        [If] = new(1, 1, Use.Block, null),
        [Unless] = new(1, 1, Use.Block, null),
        [Each] = new(1, 1, Use.Block, null),
        [With] = new(1, 1, Use.Block, null),
        [Lookup] = new(2, 2, Use.Inline, static a =>
            a[0] is null or false or "" or 0m or 0d ? a[0] : TemplateValues.Member(a[0], TemplateValues.Text(a[1]))),
        ["equals"] = new(2, 2, Use.Both, static a => TemplateValues.AreEqual(a[0], a[1])),
        ["notEquals"] = new(2, 2, Use.Both, static a => !TemplateValues.AreEqual(a[0], a[1])),
        ["greaterThan"] = new(2, 2, Use.Both, static a => TemplateValues.Compare(a[0], a[1]) > 0),
        ["lessThan"] = new(2, 2, Use.Both, static a => TemplateValues.Compare(a[0], a[1]) < 0),
        ["and"] = new(1, 20, Use.Both, static a => a.All(TemplateValues.IsTrue)),
        ["or"] = new(1, 20, Use.Both, static a => a.Any(TemplateValues.IsTrue)),
        ["not"] = new(1, 1, Use.Both, static a => !TemplateValues.IsTrue(a[0])),
        ["insert"] = new(1, 2, Use.Inline, Insert),
        ["length"] = new(1, 1, Use.Inline, static a => Length(a[0])),
        ["formatDate"] = new(2, 3, Use.Inline, FormatDate),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static bool Exists(string name) => All.ContainsKey(name);

    /// <summary>The value of a call whose helper exists.</summary>
    public static object? Invoke(string name, object?[] arguments) => All[name].Run?.Invoke(arguments);

    /// <exception cref="TemplateException">There is no such helper, or it is called in a way that it does not know.</exception>
    public static void Check(CallExpression call, bool isBlock)
    {
        if (call.Head.Simple is not { } name || !All.TryGetValue(name, out var helper))
        {
            if (call.HasArguments || !isBlock)
                throw new TemplateException(TemplateFaultKind.Syntax, call.At, $"There is no helper '{call.Head.Text}'.");
            return;
        }
        if (!helper.Use.HasFlag(isBlock ? Use.Block : Use.Inline))
            throw new TemplateException(TemplateFaultKind.Syntax, call.At,
                isBlock ? $"The helper '{name}' has no block." : $"The helper '{name}' needs a block: {{{{#{name} …}}}}.");
        if (call.Arguments.Count < helper.Least || call.Arguments.Count > helper.Most)
        {
            var counts = helper.Least == helper.Most ? $"{helper.Least}" : $"{helper.Least} to {helper.Most}";
            throw new TemplateException(
                TemplateFaultKind.Syntax, call.At, $"The helper '{name}' takes {counts} arguments, not {call.Arguments.Count}.");
        }
    }

    /// <summary><c>{{insert name "default=Customer"}}</c>.</summary>
    static object? Insert(object?[] arguments)
    {
        const string prefix = "default=";
        if (TemplateValues.IsTrue(arguments[0]) || arguments.Length < 2)
            return arguments[0];
        var instead = TemplateValues.Text(arguments[1]);
        return instead.StartsWith(prefix, StringComparison.Ordinal) ? instead[prefix.Length..] : instead;
    }

    static decimal Length(object? value) => value switch
    {
        object?[] list => (decimal)list.Length,
        string text => (decimal)text.Length,
        Dictionary<string, object?> members => (decimal)members.Count,
        _ => 0m,
    };

    /// <summary>An instant (RFC 3339, or Unix milliseconds), a pattern, and an offset such as <c>-0800</c>. What is no instant is
    /// missing.</summary>
    static object? FormatDate(object?[] arguments)
    {
        if (!TryInstant(arguments[0], out var instant))
            return TemplateValues.Missing;
        if (arguments.Length > 2 && TryOffset(TemplateValues.Text(arguments[2]), out var offset))
            instant = instant.ToOffset(offset);
        return DatePattern.Format(instant, TemplateValues.Text(arguments[1]));
    }

    static bool TryInstant(object? value, out DateTimeOffset instant)
    {
        if (value is not decimal number)
            return DateTimeOffset.TryParse(value as string, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out instant);
        // The years 2 to 9998: an offset may be added.
        var isInstant = number is > -62_104_060_800_000 and < 253_370_764_800_000;
        instant = isInstant ? DateTimeOffset.FromUnixTimeMilliseconds((long)number) : default;
        return isInstant;
    }

    /// <summary><c>-0800</c>, <c>+05:30</c>.</summary>
    static bool TryOffset(string text, out TimeSpan offset)
    {
        var plain = text.Replace(":", "", StringComparison.Ordinal);
        offset = default;
        if (plain.Length != 5 || plain[0] is not ('+' or '-')
            || !int.TryParse(plain.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var digits)
            || digits / 100 > 14 || digits % 100 > 59 || digits > 1400)
            return false;
        var minutes = digits / 100 * 60 + digits % 100;
        offset = TimeSpan.FromMinutes(plain[0] == '-' ? -minutes : minutes);
        return true;
    }

    /// <summary>Where a helper may stand.</summary>
    [Flags]
    enum Use : byte { Inline = 1, Block = 2, Both = 3 }

    /// <summary>One helper, and how many arguments it takes.</summary>
    sealed record Helper(int Least, int Most, Use Use, Func<object?[], object?>? Run);
}

/// <summary>Writes an instant by a pattern as SendGrid's templates have it: <c>MMMM DD, YYYY h:mm:ss A Z</c>. In English.</summary>
static class DatePattern
{
    // Longest first. Each with .NET's pattern for it.
    static readonly (string Token, string Format)[] Tokens =
    [
        ("YYYY", "yyyy"), ("MMMM", "MMMM"), ("dddd", "dddd"), ("MMM", "MMM"), ("ddd", "ddd"), ("SSS", "fff"), ("YY", "yy"), ("MM", "MM"),
        ("DD", "dd"), ("HH", "HH"), ("hh", "hh"), ("mm", "mm"), ("ss", "ss"), ("ZZ", "zzz"), ("M", "%M"), ("D", "%d"), ("H", "%H"),
        ("h", "%h"), ("m", "%m"), ("s", "%s"), ("A", "tt"), ("a", "tt"), ("Z", "zzz"),
    ];

    public static string Format(DateTimeOffset instant, string pattern)
    {
        var text = new System.Text.StringBuilder();
        for (var at = 0; at < pattern.Length;)
        {
            var close = pattern[at] == '[' ? pattern.IndexOf(']', at) : -1;
            if (close > 0)
            {
                text.Append(pattern, at + 1, close - at - 1);
                at = close + 1;
                continue;
            }
            var (token, format) = Array.Find(Tokens, t => string.CompareOrdinal(pattern, at, t.Token, 0, t.Token.Length) == 0);
            if (token is null)
            {
                text.Append(pattern[at++]);
                continue;
            }
            var part = instant.ToString(format, CultureInfo.InvariantCulture);
            text.Append(token switch
            {
                "a" => part.ToLowerInvariant(),
                "ZZ" => part.Replace(":", "", StringComparison.Ordinal),
                _ => part,
            });
            at += token.Length;
        }
        return text.ToString();
    }
}
