using System.Text;
using System.Text.RegularExpressions;
using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>Fills variables into the texts of one call, and stops before they are many times what was sent: a small call can ask for a
/// thousand copies of a large text, or for a large value in a thousand places.</summary>
sealed class Filling
{
    /// <summary>Characters of all filled texts together; two bytes of memory each.</summary>
    const long MaxCharacters = 100_000_000;

    static readonly Problem TooLarge = new(
        "too-large", 413, "Too large", $"The texts of the call, its variables filled in, have over {MaxCharacters:N0} characters. Split it.");

    long _left = MaxCharacters;

    /// <summary>Not null: the texts filled last are no good, and the call is refused.</summary>
    public Problem? Fault => _left < 0 ? TooLarge : null;

    /// <summary>In one go: what a value brings in is not looked through again.</summary>
    public string Fill(string text, Regex variable, Func<Match, string> value)
    {
        if (_left < 0)
            return "";
        var match = variable.Match(text);
        if (!match.Success)
            return text;
        var filled = new StringBuilder(text.Length);
        var at = 0;
        for (; match.Success; match = match.NextMatch())
        {
            filled.Append(text, at, match.Index - at).Append(value(match));
            at = match.Index + match.Length;
            if (filled.Length > _left)
                break;
        }
        filled.Append(text, at, text.Length - at);
        _left -= filled.Length;
        return _left < 0 ? "" : filled.ToString();
    }
}
