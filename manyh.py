def h0(x):
    y = x.foo + 0
    return h1(y).bar if y else len(str(y))


def h1(x):
    y = x.foo + 1
    return h2(y).bar if y else len(str(y))


def h2(x):
    y = x.foo + 2
    return h3(y).bar if y else len(str(y))


def h3(x):
    y = x.foo + 3
    return h4(y).bar if y else len(str(y))


def h4(x):
    y = x.foo + 4
    return h5(y).bar if y else len(str(y))


def h5(x):
    y = x.foo + 5
    return h6(y).bar if y else len(str(y))


def h6(x):
    y = x.foo + 6
    return h7(y).bar if y else len(str(y))


def h7(x):
    y = x.foo + 7
    return h8(y).bar if y else len(str(y))


def h8(x):
    y = x.foo + 8
    return h9(y).bar if y else len(str(y))


def h9(x):
    y = x.foo + 9
    return h10(y).bar if y else len(str(y))


def h10(x):
    y = x.foo + 10
    return h11(y).bar if y else len(str(y))


def h11(x):
    y = x.foo + 11
    return h12(y).bar if y else len(str(y))


def h12(x):
    y = x.foo + 12
    return h13(y).bar if y else len(str(y))


def h13(x):
    y = x.foo + 13
    return h14(y).bar if y else len(str(y))


def h14(x):
    y = x.foo + 14
    return h15(y).bar if y else len(str(y))


def h15(x):
    y = x.foo + 15
    return h16(y).bar if y else len(str(y))


def h16(x):
    y = x.foo + 16
    return h17(y).bar if y else len(str(y))


def h17(x):
    y = x.foo + 17
    return h18(y).bar if y else len(str(y))


def h18(x):
    y = x.foo + 18
    return h19(y).bar if y else len(str(y))


def h19(x):
    y = x.foo + 19
    return h20(y).bar if y else len(str(y))


def h20(x):
    y = x.foo + 20
    return h21(y).bar if y else len(str(y))


def h21(x):
    y = x.foo + 21
    return h22(y).bar if y else len(str(y))


def h22(x):
    y = x.foo + 22
    return h23(y).bar if y else len(str(y))


def h23(x):
    y = x.foo + 23
    return h24(y).bar if y else len(str(y))


def h24(x):
    y = x.foo + 24
    return h25(y).bar if y else len(str(y))


def h25(x):
    y = x.foo + 25
    return h26(y).bar if y else len(str(y))


def h26(x):
    y = x.foo + 26
    return h27(y).bar if y else len(str(y))


def h27(x):
    y = x.foo + 27
    return h28(y).bar if y else len(str(y))


def h28(x):
    y = x.foo + 28
    return h29(y).bar if y else len(str(y))


def h29(x):
    y = x.foo + 29
    return h30(y).bar if y else len(str(y))


def h30(x):
    y = x.foo + 30
    return h31(y).bar if y else len(str(y))


def h31(x):
    y = x.foo + 31
    return h32(y).bar if y else len(str(y))


def h32(x):
    y = x.foo + 32
    return h33(y).bar if y else len(str(y))


def h33(x):
    y = x.foo + 33
    return h34(y).bar if y else len(str(y))


def h34(x):
    y = x.foo + 34
    return h35(y).bar if y else len(str(y))


def h35(x):
    y = x.foo + 35
    return h36(y).bar if y else len(str(y))


def h36(x):
    y = x.foo + 36
    return h37(y).bar if y else len(str(y))


def h37(x):
    y = x.foo + 37
    return h38(y).bar if y else len(str(y))


def h38(x):
    y = x.foo + 38
    return h39(y).bar if y else len(str(y))


def h39(x):
    y = x.foo + 39
    return h40(y).bar if y else len(str(y))


def h40(x):
    y = x.foo + 40
    return h41(y).bar if y else len(str(y))


def h41(x):
    y = x.foo + 41
    return h42(y).bar if y else len(str(y))


def h42(x):
    y = x.foo + 42
    return h43(y).bar if y else len(str(y))


def h43(x):
    y = x.foo + 43
    return h44(y).bar if y else len(str(y))


def h44(x):
    y = x.foo + 44
    return h45(y).bar if y else len(str(y))


def h45(x):
    y = x.foo + 45
    return h46(y).bar if y else len(str(y))


def h46(x):
    y = x.foo + 46
    return h47(y).bar if y else len(str(y))


def h47(x):
    y = x.foo + 47
    return h48(y).bar if y else len(str(y))


def h48(x):
    y = x.foo + 48
    return h49(y).bar if y else len(str(y))


def h49(x):
    y = x.foo + 49
    return h50(y).bar if y else len(str(y))


def h50(x):
    y = x.foo + 50
    return h51(y).bar if y else len(str(y))


def h51(x):
    y = x.foo + 51
    return h52(y).bar if y else len(str(y))


def h52(x):
    y = x.foo + 52
    return h53(y).bar if y else len(str(y))


def h53(x):
    y = x.foo + 53
    return h54(y).bar if y else len(str(y))


def h54(x):
    y = x.foo + 54
    return h55(y).bar if y else len(str(y))


def h55(x):
    y = x.foo + 55
    return h56(y).bar if y else len(str(y))


def h56(x):
    y = x.foo + 56
    return h57(y).bar if y else len(str(y))


def h57(x):
    y = x.foo + 57
    return h58(y).bar if y else len(str(y))


def h58(x):
    y = x.foo + 58
    return h59(y).bar if y else len(str(y))


def h59(x):
    y = x.foo + 59
    return h60(y).bar if y else len(str(y))


def h60(x):
    y = x.foo + 60
    return h61(y).bar if y else len(str(y))


def h61(x):
    y = x.foo + 61
    return h62(y).bar if y else len(str(y))


def h62(x):
    y = x.foo + 62
    return h63(y).bar if y else len(str(y))


def h63(x):
    y = x.foo + 63
    return h64(y).bar if y else len(str(y))


def h64(x):
    y = x.foo + 64
    return h65(y).bar if y else len(str(y))


def h65(x):
    y = x.foo + 65
    return h66(y).bar if y else len(str(y))


def h66(x):
    y = x.foo + 66
    return h67(y).bar if y else len(str(y))


def h67(x):
    y = x.foo + 67
    return h68(y).bar if y else len(str(y))


def h68(x):
    y = x.foo + 68
    return h69(y).bar if y else len(str(y))


def h69(x):
    y = x.foo + 69
    return h70(y).bar if y else len(str(y))


def h70(x):
    y = x.foo + 70
    return h71(y).bar if y else len(str(y))


def h71(x):
    y = x.foo + 71
    return h72(y).bar if y else len(str(y))


def h72(x):
    y = x.foo + 72
    return h73(y).bar if y else len(str(y))


def h73(x):
    y = x.foo + 73
    return h74(y).bar if y else len(str(y))


def h74(x):
    y = x.foo + 74
    return h75(y).bar if y else len(str(y))


def h75(x):
    y = x.foo + 75
    return h76(y).bar if y else len(str(y))


def h76(x):
    y = x.foo + 76
    return h77(y).bar if y else len(str(y))


def h77(x):
    y = x.foo + 77
    return h78(y).bar if y else len(str(y))


def h78(x):
    y = x.foo + 78
    return h79(y).bar if y else len(str(y))


def h79(x):
    y = x.foo + 79
    return h80(y).bar if y else len(str(y))


def h80(x):
    y = x.foo + 80
    return h81(y).bar if y else len(str(y))


def h81(x):
    y = x.foo + 81
    return h82(y).bar if y else len(str(y))


def h82(x):
    y = x.foo + 82
    return h83(y).bar if y else len(str(y))


def h83(x):
    y = x.foo + 83
    return h84(y).bar if y else len(str(y))


def h84(x):
    y = x.foo + 84
    return h85(y).bar if y else len(str(y))


def h85(x):
    y = x.foo + 85
    return h86(y).bar if y else len(str(y))


def h86(x):
    y = x.foo + 86
    return h87(y).bar if y else len(str(y))


def h87(x):
    y = x.foo + 87
    return h88(y).bar if y else len(str(y))


def h88(x):
    y = x.foo + 88
    return h89(y).bar if y else len(str(y))


def h89(x):
    y = x.foo + 89
    return h90(y).bar if y else len(str(y))


def h90(x):
    y = x.foo + 90
    return h91(y).bar if y else len(str(y))


def h91(x):
    y = x.foo + 91
    return h92(y).bar if y else len(str(y))


def h92(x):
    y = x.foo + 92
    return h93(y).bar if y else len(str(y))


def h93(x):
    y = x.foo + 93
    return h94(y).bar if y else len(str(y))


def h94(x):
    y = x.foo + 94
    return h95(y).bar if y else len(str(y))


def h95(x):
    y = x.foo + 95
    return h96(y).bar if y else len(str(y))


def h96(x):
    y = x.foo + 96
    return h97(y).bar if y else len(str(y))


def h97(x):
    y = x.foo + 97
    return h98(y).bar if y else len(str(y))


def h98(x):
    y = x.foo + 98
    return h99(y).bar if y else len(str(y))


def h99(x):
    y = x.foo + 99
    return h100(y).bar if y else len(str(y))


def h100(x):
    y = x.foo + 100
    return h101(y).bar if y else len(str(y))


def h101(x):
    y = x.foo + 101
    return h102(y).bar if y else len(str(y))


def h102(x):
    y = x.foo + 102
    return h103(y).bar if y else len(str(y))


def h103(x):
    y = x.foo + 103
    return h104(y).bar if y else len(str(y))


def h104(x):
    y = x.foo + 104
    return h105(y).bar if y else len(str(y))


def h105(x):
    y = x.foo + 105
    return h106(y).bar if y else len(str(y))


def h106(x):
    y = x.foo + 106
    return h107(y).bar if y else len(str(y))


def h107(x):
    y = x.foo + 107
    return h108(y).bar if y else len(str(y))


def h108(x):
    y = x.foo + 108
    return h109(y).bar if y else len(str(y))


def h109(x):
    y = x.foo + 109
    return h110(y).bar if y else len(str(y))


def h110(x):
    y = x.foo + 110
    return h111(y).bar if y else len(str(y))


def h111(x):
    y = x.foo + 111
    return h112(y).bar if y else len(str(y))


def h112(x):
    y = x.foo + 112
    return h113(y).bar if y else len(str(y))


def h113(x):
    y = x.foo + 113
    return h114(y).bar if y else len(str(y))


def h114(x):
    y = x.foo + 114
    return h115(y).bar if y else len(str(y))


def h115(x):
    y = x.foo + 115
    return h116(y).bar if y else len(str(y))


def h116(x):
    y = x.foo + 116
    return h117(y).bar if y else len(str(y))


def h117(x):
    y = x.foo + 117
    return h118(y).bar if y else len(str(y))


def h118(x):
    y = x.foo + 118
    return h119(y).bar if y else len(str(y))


def h119(x):
    y = x.foo + 119
    return h120(y).bar if y else len(str(y))


def h120(x):
    y = x.foo + 120
    return h121(y).bar if y else len(str(y))


def h121(x):
    y = x.foo + 121
    return h122(y).bar if y else len(str(y))


def h122(x):
    y = x.foo + 122
    return h123(y).bar if y else len(str(y))


def h123(x):
    y = x.foo + 123
    return h124(y).bar if y else len(str(y))


def h124(x):
    y = x.foo + 124
    return h125(y).bar if y else len(str(y))


def h125(x):
    y = x.foo + 125
    return h126(y).bar if y else len(str(y))


def h126(x):
    y = x.foo + 126
    return h127(y).bar if y else len(str(y))


def h127(x):
    y = x.foo + 127
    return h128(y).bar if y else len(str(y))


def h128(x):
    y = x.foo + 128
    return h129(y).bar if y else len(str(y))


def h129(x):
    y = x.foo + 129
    return h130(y).bar if y else len(str(y))


def h130(x):
    y = x.foo + 130
    return h131(y).bar if y else len(str(y))


def h131(x):
    y = x.foo + 131
    return h132(y).bar if y else len(str(y))


def h132(x):
    y = x.foo + 132
    return h133(y).bar if y else len(str(y))


def h133(x):
    y = x.foo + 133
    return h134(y).bar if y else len(str(y))


def h134(x):
    y = x.foo + 134
    return h135(y).bar if y else len(str(y))


def h135(x):
    y = x.foo + 135
    return h136(y).bar if y else len(str(y))


def h136(x):
    y = x.foo + 136
    return h137(y).bar if y else len(str(y))


def h137(x):
    y = x.foo + 137
    return h138(y).bar if y else len(str(y))


def h138(x):
    y = x.foo + 138
    return h139(y).bar if y else len(str(y))


def h139(x):
    y = x.foo + 139
    return h140(y).bar if y else len(str(y))


def h140(x):
    y = x.foo + 140
    return h141(y).bar if y else len(str(y))


def h141(x):
    y = x.foo + 141
    return h142(y).bar if y else len(str(y))


def h142(x):
    y = x.foo + 142
    return h143(y).bar if y else len(str(y))


def h143(x):
    y = x.foo + 143
    return h144(y).bar if y else len(str(y))


def h144(x):
    y = x.foo + 144
    return h145(y).bar if y else len(str(y))


def h145(x):
    y = x.foo + 145
    return h146(y).bar if y else len(str(y))


def h146(x):
    y = x.foo + 146
    return h147(y).bar if y else len(str(y))


def h147(x):
    y = x.foo + 147
    return h148(y).bar if y else len(str(y))


def h148(x):
    y = x.foo + 148
    return h149(y).bar if y else len(str(y))


def h149(x):
    y = x.foo + 149
    return h150(y).bar if y else len(str(y))


def h150(x):
    y = x.foo + 150
    return h151(y).bar if y else len(str(y))


def h151(x):
    y = x.foo + 151
    return h152(y).bar if y else len(str(y))


def h152(x):
    y = x.foo + 152
    return h153(y).bar if y else len(str(y))


def h153(x):
    y = x.foo + 153
    return h154(y).bar if y else len(str(y))


def h154(x):
    y = x.foo + 154
    return h155(y).bar if y else len(str(y))


def h155(x):
    y = x.foo + 155
    return h156(y).bar if y else len(str(y))


def h156(x):
    y = x.foo + 156
    return h157(y).bar if y else len(str(y))


def h157(x):
    y = x.foo + 157
    return h158(y).bar if y else len(str(y))


def h158(x):
    y = x.foo + 158
    return h159(y).bar if y else len(str(y))


def h159(x):
    y = x.foo + 159
    return h160(y).bar if y else len(str(y))


def h160(x):
    y = x.foo + 160
    return h161(y).bar if y else len(str(y))


def h161(x):
    y = x.foo + 161
    return h162(y).bar if y else len(str(y))


def h162(x):
    y = x.foo + 162
    return h163(y).bar if y else len(str(y))


def h163(x):
    y = x.foo + 163
    return h164(y).bar if y else len(str(y))


def h164(x):
    y = x.foo + 164
    return h165(y).bar if y else len(str(y))


def h165(x):
    y = x.foo + 165
    return h166(y).bar if y else len(str(y))


def h166(x):
    y = x.foo + 166
    return h167(y).bar if y else len(str(y))


def h167(x):
    y = x.foo + 167
    return h168(y).bar if y else len(str(y))


def h168(x):
    y = x.foo + 168
    return h169(y).bar if y else len(str(y))


def h169(x):
    y = x.foo + 169
    return h170(y).bar if y else len(str(y))


def h170(x):
    y = x.foo + 170
    return h171(y).bar if y else len(str(y))


def h171(x):
    y = x.foo + 171
    return h172(y).bar if y else len(str(y))


def h172(x):
    y = x.foo + 172
    return h173(y).bar if y else len(str(y))


def h173(x):
    y = x.foo + 173
    return h174(y).bar if y else len(str(y))


def h174(x):
    y = x.foo + 174
    return h175(y).bar if y else len(str(y))


def h175(x):
    y = x.foo + 175
    return h176(y).bar if y else len(str(y))


def h176(x):
    y = x.foo + 176
    return h177(y).bar if y else len(str(y))


def h177(x):
    y = x.foo + 177
    return h178(y).bar if y else len(str(y))


def h178(x):
    y = x.foo + 178
    return h179(y).bar if y else len(str(y))


def h179(x):
    y = x.foo + 179
    return h180(y).bar if y else len(str(y))


def h180(x):
    y = x.foo + 180
    return h181(y).bar if y else len(str(y))


def h181(x):
    y = x.foo + 181
    return h182(y).bar if y else len(str(y))


def h182(x):
    y = x.foo + 182
    return h183(y).bar if y else len(str(y))


def h183(x):
    y = x.foo + 183
    return h184(y).bar if y else len(str(y))


def h184(x):
    y = x.foo + 184
    return h185(y).bar if y else len(str(y))


def h185(x):
    y = x.foo + 185
    return h186(y).bar if y else len(str(y))


def h186(x):
    y = x.foo + 186
    return h187(y).bar if y else len(str(y))


def h187(x):
    y = x.foo + 187
    return h188(y).bar if y else len(str(y))


def h188(x):
    y = x.foo + 188
    return h189(y).bar if y else len(str(y))


def h189(x):
    y = x.foo + 189
    return h190(y).bar if y else len(str(y))


def h190(x):
    y = x.foo + 190
    return h191(y).bar if y else len(str(y))


def h191(x):
    y = x.foo + 191
    return h192(y).bar if y else len(str(y))


def h192(x):
    y = x.foo + 192
    return h193(y).bar if y else len(str(y))


def h193(x):
    y = x.foo + 193
    return h194(y).bar if y else len(str(y))


def h194(x):
    y = x.foo + 194
    return h195(y).bar if y else len(str(y))


def h195(x):
    y = x.foo + 195
    return h196(y).bar if y else len(str(y))


def h196(x):
    y = x.foo + 196
    return h197(y).bar if y else len(str(y))


def h197(x):
    y = x.foo + 197
    return h198(y).bar if y else len(str(y))


def h198(x):
    y = x.foo + 198
    return h199(y).bar if y else len(str(y))


def h199(x):
    y = x.foo + 199
    return h200(y).bar if y else len(str(y))


def h200(x):
    y = x.foo + 200
    return h201(y).bar if y else len(str(y))


def h201(x):
    y = x.foo + 201
    return h202(y).bar if y else len(str(y))


def h202(x):
    y = x.foo + 202
    return h203(y).bar if y else len(str(y))


def h203(x):
    y = x.foo + 203
    return h204(y).bar if y else len(str(y))


def h204(x):
    y = x.foo + 204
    return h205(y).bar if y else len(str(y))


def h205(x):
    y = x.foo + 205
    return h206(y).bar if y else len(str(y))


def h206(x):
    y = x.foo + 206
    return h207(y).bar if y else len(str(y))


def h207(x):
    y = x.foo + 207
    return h208(y).bar if y else len(str(y))


def h208(x):
    y = x.foo + 208
    return h209(y).bar if y else len(str(y))


def h209(x):
    y = x.foo + 209
    return h210(y).bar if y else len(str(y))


def h210(x):
    y = x.foo + 210
    return h211(y).bar if y else len(str(y))


def h211(x):
    y = x.foo + 211
    return h212(y).bar if y else len(str(y))


def h212(x):
    y = x.foo + 212
    return h213(y).bar if y else len(str(y))


def h213(x):
    y = x.foo + 213
    return h214(y).bar if y else len(str(y))


def h214(x):
    y = x.foo + 214
    return h215(y).bar if y else len(str(y))


def h215(x):
    y = x.foo + 215
    return h216(y).bar if y else len(str(y))


def h216(x):
    y = x.foo + 216
    return h217(y).bar if y else len(str(y))


def h217(x):
    y = x.foo + 217
    return h218(y).bar if y else len(str(y))


def h218(x):
    y = x.foo + 218
    return h219(y).bar if y else len(str(y))


def h219(x):
    y = x.foo + 219
    return h220(y).bar if y else len(str(y))


def h220(x):
    y = x.foo + 220
    return h221(y).bar if y else len(str(y))


def h221(x):
    y = x.foo + 221
    return h222(y).bar if y else len(str(y))


def h222(x):
    y = x.foo + 222
    return h223(y).bar if y else len(str(y))


def h223(x):
    y = x.foo + 223
    return h224(y).bar if y else len(str(y))


def h224(x):
    y = x.foo + 224
    return h225(y).bar if y else len(str(y))


def h225(x):
    y = x.foo + 225
    return h226(y).bar if y else len(str(y))


def h226(x):
    y = x.foo + 226
    return h227(y).bar if y else len(str(y))


def h227(x):
    y = x.foo + 227
    return h228(y).bar if y else len(str(y))


def h228(x):
    y = x.foo + 228
    return h229(y).bar if y else len(str(y))


def h229(x):
    y = x.foo + 229
    return h230(y).bar if y else len(str(y))


def h230(x):
    y = x.foo + 230
    return h231(y).bar if y else len(str(y))


def h231(x):
    y = x.foo + 231
    return h232(y).bar if y else len(str(y))


def h232(x):
    y = x.foo + 232
    return h233(y).bar if y else len(str(y))


def h233(x):
    y = x.foo + 233
    return h234(y).bar if y else len(str(y))


def h234(x):
    y = x.foo + 234
    return h235(y).bar if y else len(str(y))


def h235(x):
    y = x.foo + 235
    return h236(y).bar if y else len(str(y))


def h236(x):
    y = x.foo + 236
    return h237(y).bar if y else len(str(y))


def h237(x):
    y = x.foo + 237
    return h238(y).bar if y else len(str(y))


def h238(x):
    y = x.foo + 238
    return h239(y).bar if y else len(str(y))


def h239(x):
    y = x.foo + 239
    return h240(y).bar if y else len(str(y))


def h240(x):
    y = x.foo + 240
    return h241(y).bar if y else len(str(y))


def h241(x):
    y = x.foo + 241
    return h242(y).bar if y else len(str(y))


def h242(x):
    y = x.foo + 242
    return h243(y).bar if y else len(str(y))


def h243(x):
    y = x.foo + 243
    return h244(y).bar if y else len(str(y))


def h244(x):
    y = x.foo + 244
    return h245(y).bar if y else len(str(y))


def h245(x):
    y = x.foo + 245
    return h246(y).bar if y else len(str(y))


def h246(x):
    y = x.foo + 246
    return h247(y).bar if y else len(str(y))


def h247(x):
    y = x.foo + 247
    return h248(y).bar if y else len(str(y))


def h248(x):
    y = x.foo + 248
    return h249(y).bar if y else len(str(y))


def h249(x):
    y = x.foo + 249
    return h250(y).bar if y else len(str(y))


def h250(x):
    y = x.foo + 250
    return h251(y).bar if y else len(str(y))


def h251(x):
    y = x.foo + 251
    return h252(y).bar if y else len(str(y))


def h252(x):
    y = x.foo + 252
    return h253(y).bar if y else len(str(y))


def h253(x):
    y = x.foo + 253
    return h254(y).bar if y else len(str(y))


def h254(x):
    y = x.foo + 254
    return h255(y).bar if y else len(str(y))


def h255(x):
    y = x.foo + 255
    return h256(y).bar if y else len(str(y))


def h256(x):
    y = x.foo + 256
    return h257(y).bar if y else len(str(y))


def h257(x):
    y = x.foo + 257
    return h258(y).bar if y else len(str(y))


def h258(x):
    y = x.foo + 258
    return h259(y).bar if y else len(str(y))


def h259(x):
    y = x.foo + 259
    return h260(y).bar if y else len(str(y))


def h260(x):
    y = x.foo + 260
    return h261(y).bar if y else len(str(y))


def h261(x):
    y = x.foo + 261
    return h262(y).bar if y else len(str(y))


def h262(x):
    y = x.foo + 262
    return h263(y).bar if y else len(str(y))


def h263(x):
    y = x.foo + 263
    return h264(y).bar if y else len(str(y))


def h264(x):
    y = x.foo + 264
    return h265(y).bar if y else len(str(y))


def h265(x):
    y = x.foo + 265
    return h266(y).bar if y else len(str(y))


def h266(x):
    y = x.foo + 266
    return h267(y).bar if y else len(str(y))


def h267(x):
    y = x.foo + 267
    return h268(y).bar if y else len(str(y))


def h268(x):
    y = x.foo + 268
    return h269(y).bar if y else len(str(y))


def h269(x):
    y = x.foo + 269
    return h270(y).bar if y else len(str(y))


def h270(x):
    y = x.foo + 270
    return h271(y).bar if y else len(str(y))


def h271(x):
    y = x.foo + 271
    return h272(y).bar if y else len(str(y))


def h272(x):
    y = x.foo + 272
    return h273(y).bar if y else len(str(y))


def h273(x):
    y = x.foo + 273
    return h274(y).bar if y else len(str(y))


def h274(x):
    y = x.foo + 274
    return h275(y).bar if y else len(str(y))


def h275(x):
    y = x.foo + 275
    return h276(y).bar if y else len(str(y))


def h276(x):
    y = x.foo + 276
    return h277(y).bar if y else len(str(y))


def h277(x):
    y = x.foo + 277
    return h278(y).bar if y else len(str(y))


def h278(x):
    y = x.foo + 278
    return h279(y).bar if y else len(str(y))


def h279(x):
    y = x.foo + 279
    return h280(y).bar if y else len(str(y))


def h280(x):
    y = x.foo + 280
    return h281(y).bar if y else len(str(y))


def h281(x):
    y = x.foo + 281
    return h282(y).bar if y else len(str(y))


def h282(x):
    y = x.foo + 282
    return h283(y).bar if y else len(str(y))


def h283(x):
    y = x.foo + 283
    return h284(y).bar if y else len(str(y))


def h284(x):
    y = x.foo + 284
    return h285(y).bar if y else len(str(y))


def h285(x):
    y = x.foo + 285
    return h286(y).bar if y else len(str(y))


def h286(x):
    y = x.foo + 286
    return h287(y).bar if y else len(str(y))


def h287(x):
    y = x.foo + 287
    return h288(y).bar if y else len(str(y))


def h288(x):
    y = x.foo + 288
    return h289(y).bar if y else len(str(y))


def h289(x):
    y = x.foo + 289
    return h290(y).bar if y else len(str(y))


def h290(x):
    y = x.foo + 290
    return h291(y).bar if y else len(str(y))


def h291(x):
    y = x.foo + 291
    return h292(y).bar if y else len(str(y))


def h292(x):
    y = x.foo + 292
    return h293(y).bar if y else len(str(y))


def h293(x):
    y = x.foo + 293
    return h294(y).bar if y else len(str(y))


def h294(x):
    y = x.foo + 294
    return h295(y).bar if y else len(str(y))


def h295(x):
    y = x.foo + 295
    return h296(y).bar if y else len(str(y))


def h296(x):
    y = x.foo + 296
    return h297(y).bar if y else len(str(y))


def h297(x):
    y = x.foo + 297
    return h298(y).bar if y else len(str(y))


def h298(x):
    y = x.foo + 298
    return h299(y).bar if y else len(str(y))


def h299(x):
    y = x.foo + 299
    return h300(y).bar if y else len(str(y))


def h300(x):
    return x


def top(x):
    return h0(x)
