// Brings the answer to the application at once; where scripts do not run, the button does.
document.getElementById("answer").submit();
