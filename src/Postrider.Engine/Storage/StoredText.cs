using System.Buffers;
using System.Text;

namespace Postrider.Storage;

/// <summary>Text as every engine can hold it.</summary>
static class StoredText
{
    static readonly SearchValues<char> Unstorable = SearchValues.Create([.. Enumerable.Range(0xD800, 0x800).Select(c => (char)c), '\0']);

    /// <summary>NUL, which PostgreSQL cannot hold, and half surrogates, which are no characters, become U+FFFD.</summary>
    public static string? Storable(string? text) => text is null || text.AsSpan().IndexOfAny(Unstorable) < 0
        ? text
        : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Replace('\0', '\uFFFD');
}
