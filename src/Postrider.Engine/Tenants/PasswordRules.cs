using System.Collections.Frozen;

namespace Postrider.Tenants;

/// <summary>What a password must be: long, and none that is guessed first. No classes of characters are asked for (NIST SP 800-63B
/// §3.1.1).</summary>
public static class PasswordRules
{
    public const int MinLength = 12;
    public const int MaxLength = 200;

    /// <summary>Fewer different characters are a pattern.</summary>
    const int MinDifferent = 5;

    // Of the lists of passwords that were leaked most often, those that are long enough.
    static readonly FrozenSet<string> Common = FrozenSet.ToFrozenSet(
    [
        "123456789012", "1234567890123", "12345678901234", "1234567890qwerty", "123456789abc", "12345678910", "123456789123",
        "1q2w3e4r5t6y", "1q2w3e4r5t6y7u", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "abcdefghijkl", "abcdefghijklmnop", "administrator",
        "administrator1", "adminadminadmin", "changemeplease", "changemechangeme", "correcthorsebatterystaple", "iloveyou1234",
        "iloveyouforever", "letmeinletmein", "letmeinplease", "password1234", "password12345", "password123456", "passwordpassword",
        "password123!", "password1234!", "passw0rdpassw0rd", "p@ssw0rd1234", "p@ssword1234", "qazwsxedcrfv", "qwerty123456",
        "qwerty12345678", "qwertyqwerty", "qwertyuiop12", "qwertyuiop123", "qwertyuiop[]", "qwertyuiopas", "qwertyuiopasdf",
        "qwertyuiopasdfghjkl", "supersecret1", "thisismypassword", "trustno1trustno1", "welcome12345", "welcomewelcome", "zaq12wsxcde3",
        "zxcvbnmasdfg", "zxcvbnmasdfghjkl", "postriderpostrider", "postrider123", "postrider1234",
    ], StringComparer.OrdinalIgnoreCase);

    /// <summary>What is wrong with it, for people; null: nothing.</summary>
    public static string? Fault(string password, string name)
    {
        if (password.Length < MinLength)
            return $"A password has at least {MinLength} characters; 15 or more are better. Several words make a good one.";
        if (password.Length > MaxLength)
            return $"A password has at most {MaxLength} characters.";
        if (Common.Contains(password) || password.Distinct().Count() < MinDifferent)
            return "This password is among those that are guessed first. Take another one: several words that have nothing to do with each other.";
        return password.Contains(name, StringComparison.OrdinalIgnoreCase) || name.Contains(password, StringComparison.OrdinalIgnoreCase)
            ? "The password is too much like the name that you sign in with." : null;
    }
}
