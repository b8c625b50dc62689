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

        internal static Func<int> CallLater(int question) => () => SampleRoom.Answer.Of(question);
    }
}
