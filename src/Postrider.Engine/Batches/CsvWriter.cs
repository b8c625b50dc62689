using System.Buffers;
using System.Text;

namespace Postrider.Batches;

/// <summary>Writes CSV (RFC 4180) for people who open it in a spreadsheet: what would be a formula there is given an apostrophe.</summary>
public static class CsvWriter
{
    static readonly SearchValues<char> Quoted = SearchValues.Create(",;\t\"\r\n");

    /// <summary>A record with its line break.</summary>
    public static void Write(StringBuilder to, params ReadOnlySpan<string?> fields)
    {
        for (var i = 0; i < fields.Length; i++)
        {
            if (i > 0)
                to.Append(',');
            Write(to, fields[i] ?? "");
        }
        to.Append("\r\n");
    }

    static void Write(StringBuilder to, string field)
    {
        // OWASP, "CSV Injection": these begin a formula.
        if (field.Length > 0 && field[0] is '=' or '+' or '-' or '@' or '\t' or '\r')
            field = "'" + field;
        if (field.AsSpan().ContainsAny(Quoted))
            to.Append('"').Append(field.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
        else
            to.Append(field);
    }
}
