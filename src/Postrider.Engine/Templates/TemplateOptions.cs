using System.ComponentModel.DataAnnotations;

namespace Postrider.Templates;

/// <summary>What templates may be and take. Section <c>Templates</c>.</summary>
public sealed class TemplateOptions
{
    /// <summary>Most templates of a tenant, archived ones included. Default 10,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxTemplates { get; set; } = 10_000;

    /// <summary>Most versions of one template. Default 1,000.</summary>
    [Range(1, 100_000)]
    public int MaxVersions { get; set; } = 1_000;

    /// <summary>Most characters of each part of a template. Default 500,000.</summary>
    [Range(1_000, 10_000_000)]
    public int MaxSourceLength { get; set; } = 500_000;

    /// <summary>Most characters of each part when it is filled in. Default 2,000,000.</summary>
    [Range(1_000, 100_000_000)]
    public int MaxLength { get; set; } = 2_000_000;

    /// <summary>Most steps that one filling in takes: parts of a template, counted again in each round. Default 200,000, some
    /// 20 ms.</summary>
    [Range(1_000, 100_000_000)]
    public int MaxSteps { get; set; } = 200_000;

    /// <summary>Longest time of one filling in. Default 1 second.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan MaxTime { get; set; } = TimeSpan.FromSeconds(1);
}
