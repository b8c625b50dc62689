// Two rooms that know each other only inside method bodies: if the reader missed that, the table would prove nothing.

namespace Postrider.SampleRoom
{
    static class Answer
    {
        internal static int Of(int question) => question * 2;
    }
}

namespace Postrider.SampleUser
{
    static class Caller
    {
        internal static int Call() => SampleRoom.Answer.Of(21);

        // A jump table in front: its operand has no fixed length, and a reader that steps wrongly over it sees nothing right behind it.
        internal static int CallAfterJumpTable(int question) =>
            question switch { 0 => 7, 1 => 5, 2 => 9, 3 => 1, _ => SampleRoom.Answer.Of(question) };

        internal static Func<int> CallLater(int question) => () => SampleRoom.Answer.Of(question);
    }
}
