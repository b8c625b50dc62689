using System.CommandLine;
using System.Globalization;

namespace Postrider.Cli;

/// <summary>What one option's type cannot say.</summary>
static class OptionRules
{
    /// <summary>A whole number from <paramref name="least"/> to <paramref name="most"/>; anything else is wrong usage, said in one
    /// line.</summary>
    public static Option<int> Within(this Option<int> option, int least, int most)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token]
                && !(int.TryParse(token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                && number >= least && number <= most))
                result.AddError($"{option.Name} must be a whole number from {least} to {most}");
        });
        return option;
    }
}
