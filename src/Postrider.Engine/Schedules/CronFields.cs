using System.Globalization;

namespace Postrider.Schedules;

/// <summary>Reads one field of a crontab line: what it may name, and what to say when it names something else.</summary>
sealed class CronField(string name, int least, int most, string example, params string[] words)
{
    /// <summary>The values as bits. A fault found before stays; after one the result means nothing.</summary>
    public ulong Read(string text, ref string fault)
    {
        var set = 0UL;
        foreach (var part in text.Split(','))
        {
            if (fault.Length > 0)
                return 0;
            set |= ReadPart(part, ref fault);
        }
        return set;
    }

    ulong ReadPart(string part, ref string fault)
    {
        var step = 1;
        var slash = part.IndexOf('/', StringComparison.Ordinal);
        var range = slash < 0 ? part : part[..slash];
        if (slash >= 0 && !TryStep(part[(slash + 1)..], out step))
            return Refuse(out fault, $"'{part}': a step is a whole number from 1 to {most - least}");
        var (first, last) = (least, most);
        if (range != "*")
        {
            var dash = range.IndexOf('-', StringComparison.Ordinal);
            if (!TryValue(dash < 0 ? range : range[..dash], out first))
                return Refuse(out fault, $"'{part}' is not in it");
            if (dash >= 0 && !TryValue(range[(dash + 1)..], out last))
                return Refuse(out fault, $"'{part}' is not in it");
            if (dash < 0 && slash < 0)
                last = first;
        }
        if (last < first)
            return Refuse(out fault, $"'{part}' ends before it begins: write two ranges, such as {first}-{most},{least}-{last}");
        var set = 0UL;
        for (var value = first; value <= last; value += step)
            set |= 1UL << value;
        return set;
    }

    bool TryStep(string text, out int step) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out step) && step >= 1 && step <= most - least;

    bool TryValue(string text, out int value)
    {
        var word = Array.FindIndex(words, w => w.Equals(text, StringComparison.OrdinalIgnoreCase));
        if (word >= 0)
        {
            value = word + least;
            return true;
        }
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most;
    }

    ulong Refuse(out string fault, string what)
    {
        var range = words.Length == 0 ? $"{least} to {most}" : $"{least} to {most} or {words[0]} to {words[^1]}";
        fault = $"The field of the {name} takes {range}; {what}. For example {example}.";
        return 0;
    }
}

/// <summary>The five fields, and the short forms that stand for all five.</summary>
static class CronFields
{
    /// <summary>Longer than anybody writes: all minutes one by one have 170 characters.</summary>
    const int MaxLength = 500;

    static readonly Dictionary<string, string> ShortForms = new(StringComparer.OrdinalIgnoreCase)
    {
        ["@yearly"] = "0 0 1 1 *",
        ["@annually"] = "0 0 1 1 *",
        ["@monthly"] = "0 0 1 * *",
        ["@weekly"] = "0 0 * * 0",
        ["@daily"] = "0 0 * * *",
        ["@midnight"] = "0 0 * * *",
        ["@hourly"] = "0 * * * *",
    };

    public static readonly CronField Minute = new("minute", 0, 59, "0, 0,30 or */5");
    public static readonly CronField Hour = new("hour", 0, 23, "9, 8-18 or */2");
    public static readonly CronField Day = new("day of the month", 1, 31, "1, 1,15 or *");
    public static readonly CronField Month = new("month", 1, 12, "*, 1-6 or jan,jul",
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec");
    public static readonly CronField Weekday = new("day of the week", 0, 7, "*, 1-5 or mon-fri (0 and 7 are Sunday)",
        "sun", "mon", "tue", "wed", "thu", "fri", "sat");

    /// <summary>Five texts, none empty; null with a <paramref name="fault"/>.</summary>
    public static string[]? Split(string text, out string fault)
    {
        fault = "";
        if (text.Length > MaxLength)
            fault = $"It has {text.Length:N0} characters; at most {MaxLength} are read. For example 0 9 * * 1-5.";
        else if (text.TrimStart().StartsWith('@'))
        {
            if (ShortForms.TryGetValue(text.Trim(), out var form))
                return form.Split(' ');
            fault = $"There is no {text.Trim()}; there are {string.Join(", ", ShortForms.Keys)}.";
        }
        else
        {
            var fields = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 5)
                return fields;
            fault = $"It has {fields.Length} {(fields.Length == 1 ? "field" : "fields")}; it takes five: minute, hour, day of the month, "
                + "month, day of the week (no seconds, no year). For example 0 9 * * 1-5: at 9 on weekdays.";
        }
        return null;
    }
}
