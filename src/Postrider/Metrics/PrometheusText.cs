using System.Globalization;
using System.Text;

namespace Postrider.Metrics;

/// <summary>Writes metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0 where that is asked for.</summary>
/// <remarks>Names follow OpenTelemetry's rules for Prometheus (2024): dots become underscores, the unit and <c>_total</c> are
/// appended.</remarks>
sealed class PrometheusText(bool openMetrics)
{
    public const string PlainType = "text/plain; version=0.0.4; charset=utf-8";
    public const string OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    readonly StringBuilder _text = new();

    public static string Write(IEnumerable<MetricFamily> families, bool openMetrics)
    {
        var writer = new PrometheusText(openMetrics);
        foreach (var family in families)
            writer.Write(family);
        if (openMetrics)
            writer._text.Append("# EOF\n");
        return writer._text.ToString();
    }

    /// <summary>Without the <c>_total</c> of counters.</summary>
    public static string NameOf(string name, string unit)
    {
        var plain = string.Create(name.Length, name, static (to, from) =>
        {
            for (var i = 0; i < from.Length; i++)
                to[i] = char.IsAsciiLetterOrDigit(from[i]) ? from[i] : '_';
        });
        var suffix = unit switch
        {
            "s" => "seconds",
            "By" => "bytes",
            _ => "", // {things} are no unit
        };
        return suffix.Length == 0 || plain.EndsWith(suffix, StringComparison.Ordinal) ? plain : $"{plain}_{suffix}";
    }

    /// <summary>What has measured nothing yet is named all the same: who writes a rule sees what there will be.</summary>
    void Write(MetricFamily family)
    {
        var name = NameOf(family.Name, family.Unit);
        var sample = family.Kind == MetricKind.Counter ? $"{name}_total" : name;
        var heading = openMetrics ? name : sample; // OpenMetrics names a family without the suffixes of its samples
        var help = family.Description.Length > 0 ? family.Description : $"{family.Name}, as OpenTelemetry defines it.";
        _text.Append("# HELP ").Append(heading).Append(' ');
        Escape(help, quotes: openMetrics);
        _text.Append("\n# TYPE ").Append(heading).Append(' ').Append(family.Kind.ToString().ToLowerInvariant()).Append('\n');
        foreach (var one in family.Series)
        {
            if (family.Kind == MetricKind.Histogram)
                WriteHistogram(name, family.Bounds, one);
            else
                WriteSample(sample, one, null, Number(one.Value));
        }
    }

    void WriteHistogram(string name, double[] bounds, MetricSeries series)
    {
        var count = 0L;
        for (var i = 0; i <= bounds.Length; i++)
        {
            count += series.InBucket(i);
            WriteSample($"{name}_bucket", series, i < bounds.Length ? Bound(bounds[i]) : "+Inf", Whole(count));
        }
        WriteSample($"{name}_sum", series, null, Number(series.Value));
        WriteSample($"{name}_count", series, null, Whole(count));
    }

    /// <param name="bound">The label <c>le</c>; null: none.</param>
    void WriteSample(string name, MetricSeries series, string? bound, string value)
    {
        _text.Append(name);
        var separator = '{';
        foreach (var (key, labelled) in series.Tags)
        {
            if (labelled is null)
                continue;
            _text.Append(separator).Append(NameOf(key, "")).Append("=\"");
            Escape(Convert.ToString(labelled, CultureInfo.InvariantCulture) ?? "", quotes: true);
            _text.Append('"');
            separator = ',';
        }
        if (bound is not null)
        {
            _text.Append(separator).Append("le=\"").Append(bound).Append('"');
            separator = ',';
        }
        if (separator == ',')
            _text.Append('}');
        _text.Append(' ').Append(value).Append('\n');
    }

    void Escape(string text, bool quotes)
    {
        foreach (var c in text)
        {
            if (c == '\\')
                _text.Append(@"\\");
            else if (c == '\n')
                _text.Append(@"\n");
            else if (c == '"' && quotes)
                _text.Append("\\\"");
            else
                _text.Append(c);
        }
    }

    /// <summary>OpenMetrics wants a bound to be a float, so that 1 and 1.0 are not two.</summary>
    string Bound(double bound)
    {
        var text = Number(bound);
        return openMetrics && !text.AsSpan().ContainsAny('.', 'E') ? text + ".0" : text;
    }

    static string Whole(long value) => value.ToString(CultureInfo.InvariantCulture);

    static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
