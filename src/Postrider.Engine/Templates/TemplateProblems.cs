using Postrider.Messages;

namespace Postrider.Templates;

/// <summary>The refusals of this room.</summary>
public static class TemplateProblems
{
    public static Problem Absent { get; } = new("not-found", 404, "Not found", "There is no template with this id, name or number, or it is another tenant's.");

    public static Problem NoSuch(string name) => new("no-such-template", 404, "No such template", $"There is no template '{name}'.")
    {
        Errors = [new("/template", "no-such-template", $"There is no template '{name}'.")],
    };

    public static Problem NoSuchVersion(StoredTemplate template, int version)
    {
        var detail = $"The template '{template.Name}' has no version {version}; its newest is {template.NewestVersion}.";
        return new("no-such-template", 404, "No such template", detail) { Errors = [new("/template/version", "no-such-template", detail)] };
    }

    public static Problem Exists(string name) => new("template-exists", 409, "Template exists", $"There is a template '{name}' already.");

    public static Problem InUse(string name, IReadOnlyList<string> callers)
    {
        const int shown = 10;
        var more = callers.Count > shown ? $" and {callers.Count - shown:N0} more" : "";
        return new("template-in-use", 409, "Template in use", $"'{name}' is called by {string.Join(", ", callers.Take(shown))}{more}: "
            + "they could not be sent with, or would be sent without it. Change them first, or archive it all the same with ?force=true.");
    }

    public static Problem Invalid(string pointer, string detail) => new("invalid-field", 422, "Invalid field", detail)
    {
        Errors = [new(pointer, "invalid-field", detail)],
    };

    /// <param name="pointer">Of the part that is at fault, or of what was to be filled in.</param>
    public static Problem Of(TemplateFault fault, string pointer)
    {
        var (slug, title) = fault.Kind switch
        {
            TemplateFaultKind.Syntax => ("template-error", "Template has an error"),
            TemplateFaultKind.Data => ("template-data", "Template data is missing"),
            TemplateFaultKind.Limit => ("template-limit", "Template takes too much"),
        };
        return new Problem(slug, 422, title, fault.ToString())
        {
            Errors = [new(pointer, slug, fault.ToString()) { Place = new TextPlace(fault.Line, fault.Column) }],
        };
    }
}
